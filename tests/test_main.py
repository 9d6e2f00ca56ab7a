import json
import random
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdemo.__main__ import _Bar, main
from mtdemo.models.checkpoints import load_directory
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.trainer import Trainer

Write = Callable[..., Path]


def test_annotate_writes_records_and_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_bytes(b"John lives in Paris.\n\nbad \xff\n")
    output, embeddings = tmp_path / "out.jsonl", tmp_path / "out.npy"
    assert main(["annotate", str(tmp_path / "in.txt"), "--output", str(output), "--embeddings", str(embeddings)]) == 0
    assert len(output.read_text().splitlines()) == len(np.load(embeddings)) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Line 3: not UTF-8" in captured.err
    assert "3 lines: 1 blank, 1 with a problem" in captured.err


def test_evaluate_ends_with_one_json_object(tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"tokens": ["john", "sat", "paris"], "tags": ["B-PER", "B-MISC", "B-LOC"]}\n' * 2)
    arguments = ["evaluate", "--task", "ner", "--data", str(path), "--checkpoint", str(tiny()), "--limit", "1", "--json"]

    def result(*more: str) -> dict[str, Any]:
        assert main([*arguments, *more]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    assert result()["n_sentences"] == 1
    assert {"PER", "MISC", "LOC"} <= set(result()["per_label"])
    assert "PER" in result("--ignore-labels", "MISC,LOC")["per_label"]
    assert not {"MISC", "LOC"} & set(result("--ignore-labels", "MISC,LOC")["per_label"])


def test_numbers_of_an_untrained_head_come_with_a_word(
    tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n')
    (tmp_path / "classes").write_text('{"text": "the cat", "label": "neutral"}\n')
    (tmp_path / "similarity").write_text("1\tthe cat\tthe mat\n5\tjohn\tjohn\n")
    half = str(tiny(trained_heads=["ner_head"]))
    for task, name, is_told in (("ner", "ner", False), ("classification", "classes", True), ("similarity",) * 2 + (False,)):
        assert main(["evaluate", "--task", task, "--data", str(tmp_path / name), "--checkpoint", half]) == 0
        told = "Note: the classification head of this model is untrained" in capsys.readouterr().err
        assert told == is_told, task


def test_a_correlation_that_there_is_none_of_is_null(
    tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs").write_text("1\tthe cat\tthe mat\n5\tthe cat\tthe mat\n")
    data = str(tmp_path / "pairs")
    assert main(["evaluate", "--task", "similarity", "--data", data, "--checkpoint", str(tiny()), "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert result == {"spearman": None, "pearson": None, "n_pairs": 2}


def test_the_bar_starts_anew_with_every_phrase_and_every_count() -> None:
    with closing(_Bar()) as bar:
        seen = []
        for done, total in ((1, 3), (2, 3), (3, 3), (1, 5), (2, 5), (1, 5)):
            bar("measuring", done, total)
            assert bar._bar is not None
            seen.append((bar._bar, bar._bar.n, bar._bar.total))
    assert [(n, total) for _, n, total in seen] == [(1, 3), (2, 3), (3, 3), (1, 5), (2, 5), (1, 5)]
    assert len({id(one) for one, _, _ in seen}) == 3


@pytest.mark.parametrize("mode", [["--freeze", "backbone"], ["--dev-ner", "DEV", "--mix", "square-root"]])
def test_train_writes_a_checkpoint_that_loads(tmp_path: Path, tiny: Write, mode: list[str]) -> None:
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n' * 4)
    (tmp_path / "classes").write_text('{"text": "the cat", "label": "neutral"}\n' * 4)
    arguments = ["--ner", str(tmp_path / "ner"), "--classification", str(tmp_path / "classes")]
    arguments += [str(tmp_path / "ner") if argument == "DEV" else argument for argument in mode]
    assert main(["train", "--base", str(tiny()), *arguments, "--output", str(tmp_path / "out"), "--steps", "2"]) == 0
    assert load_directory(tmp_path / "out").info.trained_heads == ("classification_head", "ner_head")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training_log.jsonl",
    }  # fmt: skip


@pytest.fixture
def few(tmp_path: Path) -> list[str]:
    """Arguments for a training of two steps on four sentences of each task."""
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n' * 4)
    (tmp_path / "classes").write_text('{"text": "the cat", "label": "neutral"}\n' * 4)
    files = ["--ner", str(tmp_path / "ner"), "--classification", str(tmp_path / "classes")]
    return [*files, "--output", str(tmp_path / "out"), "--steps", "2"]


@pytest.fixture
def various(tmp_path: Path, few: list[str]) -> list[str]:
    """The same arguments with 40 sentences of each task, no two alike, of which a step takes 16."""
    draw = random.Random(1)
    tags = {"john": "B-PER", "paris": "B-LOC"}
    texts = ["the", "cat", "sat", "on", "mat", "john", "paris"]
    rows = [draw.sample(texts, 3 + number % 4) for number in range(80)]
    ner = ({"tokens": row, "tags": [tags.get(word, "O") for word in row]} for row in rows[:40])
    classes = ({"text": " ".join(row), "label": draw.choice(("negative", "positive"))} for row in rows[40:])
    for name, data in (("ner", ner), ("classes", classes)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in data))
    return [*few, "--sentences", "16", "--interval", "1"]


def test_train_hands_on_how_to_learn(tiny: Write, various: list[str], tmp_path: Path) -> None:
    """Those losses of the first step are others that an option is about, and no others."""
    base = str(tiny())

    def first_losses(*more: str) -> dict[str, float]:
        assert main(["train", "--base", base, *various, *more]) == 0
        row: dict[str, dict[str, float]] = json.loads((tmp_path / "out" / "training_log.jsonl").read_text().splitlines()[0])
        return row["losses"]

    plain = first_losses()
    assert plain["teacher"] is None and plain["output"] is None

    def changed(*more: str) -> set[str]:
        return {name for name, loss in first_losses(*more).items() if loss != plain[name]}

    both = {"ner", "classification", "drift"}
    assert changed() == set()
    assert changed("--averaging", "0.9") == set(), "averaging changes what is kept, not what is learned"
    assert changed("--label-smoothing", "0.2") == {"classification"}
    assert changed("--distillation", "0") == {"drift"}
    assert changed("--mix", "1:3") == changed("--seed", "14") == changed("--word-dropout", "0.5") == both
    assert changed("--dropout", "0.5") == both
    assert first_losses("--weights", "0", "1", "--distillation", "0")["ner"] is None
    assert changed("--pooling", "cls") == {"classification"}
    assert load_directory(tmp_path / "out").model.config.classification_pooling == "cls"
    (tmp_path / "out").rename(tmp_path / "teacher")
    assert changed("--class-teacher", str(tmp_path / "teacher")) == {"teacher"}
    assert changed("--class-teacher", str(tmp_path / "teacher"), "--teacher-weight", "0") == set()


def test_emoji_reach_the_checkpoint_or_are_refused_before_training(
    tiny: Write, few: list[str], tmp_path: Path, upstream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", "--base", str(tiny()), *few]
    assert main([*base, "--emoji"]) == 2
    assert "has no free places ([unused0] and so on)" in capsys.readouterr().err
    assert main(["train", "--base", str(upstream), *few, "--emoji"]) == 0
    assert "994 emoji have a place in the vocabulary now." in capsys.readouterr().err
    assert "\N{FACE WITH TEARS OF JOY}" in load_directory(tmp_path / "out").tokenizer.get_vocab()


def test_calibrate_writes_a_checkpoint_whose_heads_alone_are_others(
    tiny: Write, few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--base", str(tiny()), *few]) == 0
    arguments = ["calibrate", "--checkpoint", str(tmp_path / "out"), "--output", str(tmp_path / "calibrated")]
    assert main(arguments) == 2
    assert "Sentences that were not trained on are needed" in capsys.readouterr().err
    assert main([*arguments, "--classification", str(tmp_path / "classes")]) == 0
    said = capsys.readouterr().err
    temperature = float(re.search(r"divided: classes by ([0-9.]+)\. Saved", said)[1])  # type: ignore[index]
    before, after = (load_directory(tmp_path / name).model.state_dict() for name in ("out", "calibrated"))
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed <= {"classification_head.linear.weight", "classification_head.linear.bias"}
    assert temperature != 1.0
    weight = "classification_head.linear.weight"
    torch.testing.assert_close(after[weight] * temperature, before[weight], atol=1e-3, rtol=1e-2)


def test_calibrate_never_takes_a_directory_for_an_id_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mtdemo.models.hub.download", lambda *_: pytest.fail("the hub was asked"))
    assert main(["calibrate", "--checkpoint", "./typo", "--ner", "x", "--output", str(tmp_path / "out")]) == 2
    assert "typo': no such directory" in capsys.readouterr().err


def test_a_base_can_learn_other_labels(tiny: Write, few: list[str], tmp_path: Path) -> None:
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-DRUG", "O"]}\n' * 4)
    (tmp_path / "classes").write_text('{"text": "the cat", "label": "calm"}\n' * 4)
    assert main(["train", "--base", str(tiny()), *few, "--class-labels", "angry", "calm", "--entity-types", "DRUG"]) == 0
    found = load_directory(tmp_path / "out")
    assert (found.info.class_labels, found.info.entity_types) == (("angry", "calm"), ("DRUG",))
    assert found.info.trained_heads == ("classification_head", "ner_head")


def test_what_an_options_contradicts_is_told_and_its_errors_are_sentences(
    tiny: Write, few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", "--base", str(tiny()), *few]
    assert main([*base, "--backbone-rate", "0"]) == 0
    assert "Note: The backbone may train, but its learning rate is 0" in capsys.readouterr().err
    assert main([*base, "--class-labels", "calm"]) == 2
    assert "at least 2 classes with different names, not 'calm'" in capsys.readouterr().err
    assert main([*base, "--entity-types", "B-DRUG"]) == 2
    assert "named without O, B- and I-" in capsys.readouterr().err
    (tmp_path / "plan.json").write_text('{"weight_decay": true}')
    assert main([*base, "--plan", str(tmp_path / "plan.json")]) == 2
    assert f"{tmp_path / 'plan.json'}: The weight decay must be a number from 0 to 1, not True" in capsys.readouterr().err
    (tmp_path / "ner").write_text('{"tokens": [" "], "tags": ["O"]}\n')
    (tmp_path / "classes").write_text('{"text": " ", "label": "neutral"}\n')
    assert main(base) == 2
    assert "None of the sentences has a word" in capsys.readouterr().err


def test_what_does_nothing_is_told_where_somebody_asked_for_it(
    tiny: Write, few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", "--base", str(tiny()), *few]

    def notes(*more: str) -> str:
        assert main([*base, *more]) == 0
        return "\n".join(line for line in capsys.readouterr().err.splitlines() if line.startswith("Note: "))

    assert notes("--freeze", "backbone") == ""
    for option in ("--word-dropout", "--case-noise", "--dropout"):
        assert "hidden word pieces and noise of case do nothing" in notes("--freeze", "backbone", option, "0.1")
    assert "the weight of keeping them does nothing" in notes("--freeze", "backbone", "--distillation", "10")
    assert "has no effect there: backbone (2e-05)" in notes("--freeze", "backbone", "--backbone-rate", "2e-5")
    assert notes("--word-dropout", "0.1", "--distillation", "5", "--backbone-rate", "1e-4", "--head-rate", "1e-3") == ""
    assert "The classification head may train, but nothing of its task" in notes("--weights", "1", "0")
    assert notes() == ""
    (tmp_path / "out").rename(tmp_path / "teacher")
    assert notes("--weights", "1", "0", "--class-teacher", str(tmp_path / "teacher")) == ""


def test_evaluate_says_which_labels_the_model_does_not_know(
    tiny: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nthe cat,calm\nthe mat,neutral\n")
    arguments = ["evaluate", "--task", "classification", "--data", str(path), "--checkpoint", str(tiny())]
    assert main(arguments) == 0
    assert "the model does not know calm, so it never finds them" in capsys.readouterr().err
    path.write_text("text,label\nthe cat,neutral\n  ,neutral\n")
    assert main(arguments) == 2
    assert f"{path} has a sentence that cannot be read, '  ': It is blank" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--averaging", "--label-smoothing", "--dropout", "--word-dropout", "--case-noise"])
@pytest.mark.parametrize("value", ["1", "-0.1", "nan"])
def test_a_share_out_of_its_range_is_refused(
    option: str, value: str, few: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--base", "x", *few, option, value])
    assert "must be from 0 to less than 1" in capsys.readouterr().err


def test_a_stopped_training_goes_on_from_its_own_directory_or_another(
    tiny: Write, few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--base", str(tiny()), *few, "--steps", "3", "--interval", "1"]
    assert main(arguments) == 0
    whole = (tmp_path / "out" / "model.safetensors").read_bytes()
    save, n_saved = Trainer.save, 0

    def save_once(trainer: Trainer, path: Path) -> None:
        nonlocal n_saved
        save(trainer, path)
        n_saved += 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", save_once)
        assert main(arguments) == 130
    assert n_saved == 1
    assert "stopped. The same command with --resume goes on" in capsys.readouterr().err
    assert main([*arguments, "--output", str(tmp_path / "new"), "--resume", str(tmp_path / "out")]) == 0
    assert (tmp_path / "new" / "model.safetensors").read_bytes() == whole
    (tmp_path / "out" / "model.safetensors").unlink()
    assert main([*arguments, "--resume"]) == 0
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == whole


def test_a_training_that_is_stopped_at_its_end_says_that_the_checkpoint_is_there(
    tiny: Write, few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ["train", "--base", str(tiny()), *few]
    with monkeypatch.context() as patch:
        patch.setattr("mtdemo.training.trainer.train", stop)
        assert main(arguments) == 130
    assert "stopped. Nothing was saved yet." in capsys.readouterr().err
    monkeypatch.setattr("mtdemo.analysis.comparison.compare", stop)
    assert main(arguments) == 130
    assert f"stopped. {tmp_path / 'out'} holds a finished checkpoint" in capsys.readouterr().err
    assert load_directory(tmp_path / "out").info.trained_heads == ("classification_head", "ner_head")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--output", "{tmp}/ner"], "/ner cannot be written to: File exists"),
        (["--dev-classification", "{tmp}/bad"], "bad, line 1: the class 'POSITIVE' is none of the model's"),
        (
            ["--class-teacher", "{tmp}/tiny"],
            "The classes of {tmp}/tiny are untrained: there is nothing to learn from them.",
        ),
        (["--weights", "0", "0"], "One of the two losses must have a weight"),
        (["--dev-similarity", "{tmp}/pairs"], "pairs: its pairs need at least two different ratings"),
    ],
)
def test_what_would_fail_hours_later_is_refused_at_once(
    more: list[str], words: str, tiny: Write, few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").write_text('{"text": "a", "label": "POSITIVE"}\n')
    (tmp_path / "pairs").write_text("1\ta\tb\n1\tc\td\n")
    more = [argument.replace("{tmp}", str(tmp_path)) for argument in more]
    assert main(["train", "--base", str(tiny()), *few, *more]) == 2
    assert words.replace("{tmp}", str(tmp_path)) in capsys.readouterr().err
    assert not (tmp_path / "out" / "training_log.jsonl").exists()


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


def test_the_help_says_what_seed_interval_and_pooling_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in ("noise and dropout (default: 13)", "saved states (default: 200)", "what a new class head reads"):
        assert words in said
    assert "embeddings (default: 10)" in said


def test_train_takes_the_plan_of_the_page(tmp_path: Path, tiny: Write, few: list[str]) -> None:
    """Every field of it: here adapters in one layer, and a new output layer, with a rate that the command line changes."""
    fast = OptimizerSettings(0.05)
    planned = TrainingPlan(("embeddings", "layer_0", "ner_head"), fast, selection="adapters", new_output_layer=True)
    (tmp_path / "plan.json").write_text(json.dumps(planned.as_dict()))
    base = tiny()
    assert main(["train", "--base", str(base), *few, "--plan", str(tmp_path / "plan.json"), "--head-rate", "0.01"]) == 0
    before, after = load_directory(base).model.state_dict(), load_directory(tmp_path / "out").model
    assert after.trained_heads == ("classification_head", "output_layer")
    assert after.config.output_labels == ["negative", "neutral", "positive"]
    assert set(after.state_dict()) - set(before) == {"output_layer.linear.weight", "output_layer.linear.bias"}
    names = [name for name in before if "token_type" not in name]  # their rows of case are added and trained
    changed = {name for name in names if not torch.equal(after.state_dict()[name], before[name].half().float())}
    adapted = {f"backbone.encoder.layer.1.attention.self.{target}.weight" for target in ("query", "value")}
    assert changed == {*adapted, *(name for name in names if name.startswith("classification_head"))}
    head = "classification_head.linear.bias"
    moved = (after.state_dict()[head] - before[head]).abs().max()
    assert moved > 0.01, "two steps at the rate that the command line gives, which the plan's own would not move as far"


def test_a_plan_that_freezes_every_part_of_the_backbone_by_name_is_one_that_freezes_it(
    tmp_path: Path, tiny: Write, few: list[str]
) -> None:
    planned = TrainingPlan(("embeddings", "layer_0", "layer_1"))
    (tmp_path / "plan.json").write_text(json.dumps(planned.as_dict()))
    assert main(["train", "--base", str(tiny()), *few, "--plan", str(tmp_path / "plan.json")]) == 0
    assert not load_directory(tmp_path / "out").model.config.casing, "a frozen backbone cannot learn case"


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("ner", '{"tokens": ["x"], "tags": ["B-CAR"]}', "line 5: "),
        ("classes", '{"text": "x", "label": "angry"}', "line 5: "),
    ],
)
def test_train_refuses_unknown_labels_naming_file_and_line(
    tmp_path: Path, tiny: Write, few: list[str], capsys: pytest.CaptureFixture[str], name: str, line: str, words: str
) -> None:
    with (tmp_path / name).open("a") as file:
        file.write(line + "\n")
    assert main(["train", "--base", str(tiny()), *few]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path / name}, {words}" in told
    assert ("CAR" if name == "ner" else "angry") in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "--task", "ner", "--data", "/nowhere.jsonl"], "/nowhere.jsonl cannot be read"),
        (["annotate", "/nowhere.txt", "--output", "/tmp/x"], "/nowhere.txt cannot be opened"),
        (["annotate", "x", "--output", "y", "--checkpoint", "./typo"], "There is no checkpoint './typo'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_a_limit_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--task", "ner", "--data", "x", "--limit", "0"])
    assert "must be at least 1" in capsys.readouterr().err
