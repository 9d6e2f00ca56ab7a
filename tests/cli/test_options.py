from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.cli.main import main

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
