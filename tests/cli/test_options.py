import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtdemo.cli.main import main
from mtdemo.cli.options import add_settings, given_settings
from mtdemo.training.batches import TaskMixing
from mtdemo.training.settings import POSITIVE, TrainingSettings, setting

Write = Callable[..., Path]


@pytest.mark.parametrize("option", ["--averaging", "--label-smoothing", "--dropout", "--word-dropout", "--case-noise"])
@pytest.mark.parametrize("value", ["1", "-0.1", "nan"])
def test_a_share_out_of_its_range_is_refused(
    option: str, value: str, few: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--base", "x", *few, option, value])
    assert "must be from 0 to less than 1" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--seed", "-1"), ("--sentences", "1"), ("--steps", "0"), ("--mix", "1:0")])
def test_a_number_out_of_its_range_is_refused(
    option: str, value: str, few: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--base", "x", *few, option, value])
    assert f"argument {option}: must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--weights", "x", "1"], "--weights: must be a number, not 'x'"),
        (["--dropout", "x"], "--dropout: must be a number, not 'x'"),
        (["--backbone-rate", "x"], "--backbone-rate: must be a number, not 'x'"),
        (["--source-power", "1", "2"], "--source-power: must be from 0 to 1, not 2"),
        (["--steps", "1.5"], "--steps: must be a whole number, not '1.5'"),
        (["--seed", ""], "--seed: must be a whole number, not ''"),
    ],
)
def test_what_is_no_number_is_refused_in_words(
    more: list[str], words: str, few: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--base", "x", *few, *more])
    assert f"argument {words}" in capsys.readouterr().err


def test_a_limit_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--task", "ner", "--data", "x", "--limit", "0"])
    assert "must be at least 1" in capsys.readouterr().err


@dataclass(frozen=True)
class MoreSettings(TrainingSettings):
    """The table with two rows more."""

    patience: int = setting(3, "measurements without progress", "--patience", POSITIVE)
    is_quiet: bool = setting(False, "say nothing", "--quiet")


def test_a_row_more_in_the_table_of_settings_is_an_option_more(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, MoreSettings)
    assert given_settings(parser.parse_args([]), MoreSettings) == {}, "a default is not what was asked for"
    given = given_settings(parser.parse_args(["--patience", "5", "--quiet", "--weights", "2", "1"]), MoreSettings)
    assert given == {"patience": 5, "is_quiet": True, "task_weights": (2.0, 1.0)}
    with pytest.raises(SystemExit):
        parser.parse_args(["--patience", "0"])
    assert "argument --patience: must be at least 1, not 0" in capsys.readouterr().err
    assert "measurements without progress (default: 3)" in " ".join(parser.format_help().split())


def test_every_setting_with_a_flag_is_read_from_it() -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, TrainingSettings)
    options = parser.parse_args(
        [
            "--steps",
            "5",
            "--sentences",
            "4",
            "--mix",
            "3:2",
            "--source-power",
            "0.5",
            "1",
            "--weights",
            "2",
            "1",
            "--distillation",
            "0",
            "--teacher-weight",
            "2",
            "--no-casing",
            "--case-noise",
            "0.1",
            "--dropout",
            "0.2",
            "--word-dropout",
            "0.3",
            "--label-smoothing",
            "0.4",
            "--averaging",
            "0.5",
            "--pooling",
            "cls",
            "--feature-gigabytes",
            "0.5",
            "--seed",
            "7",
            "--interval",
            "9",
        ]
    )
    assert TrainingSettings(**given_settings(options, TrainingSettings)) == TrainingSettings(
        n_steps=5, sentences_per_step=4, mix=TaskMixing(weights=(3.0, 2.0)), source_powers=(0.5, 1.0),
        task_weights=(2.0, 1.0), distillation_weight=0.0, teacher_weight=2.0, casing=False, case_noise=0.1,
        dropout=0.2, word_dropout=0.3, label_smoothing=0.4, averaging=0.5, pooling="cls",
        max_feature_bytes=500_000_000, seed=7, interval=9,
    )  # fmt: skip
