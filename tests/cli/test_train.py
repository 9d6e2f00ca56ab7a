import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtdemo.cli.main import main
from mtdemo.models.checkpoints import load_directory
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan

Write = Callable[..., Path]


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


@pytest.mark.lab
def test_train_hands_on_how_to_learn(tiny: Write, various: list[str], tmp_path: Path) -> None:
    """Those losses of the first step are others that an option is about, and no others."""
    base = str(tiny())

    def first_losses(*more: str) -> dict[str, float]:
        assert main(["train", "--base", base, *various, "--steps", "1", *more]) == 0
        row: dict[str, dict[str, float]] = json.loads((tmp_path / "out" / "training_log.jsonl").read_text().splitlines()[0])
        return row["losses"]

    plain = first_losses()
    assert plain["disagreement"] is None and plain["new_output_layer"] is None

    def changed(*more: str) -> set[str]:
        return {name for name, loss in first_losses(*more).items() if loss != plain[name]}

    both = {"entities", "classes", "drift"}
    assert changed() == set()
    assert changed("--averaging", "0.9") == set(), "averaging changes what is kept, not what is learned"
    assert changed("--label-smoothing", "0.2") == {"classes"}
    assert changed("--distillation", "0") == {"drift"}
    assert changed("--mix", "1:3") == changed("--seed", "14") == changed("--word-dropout", "0.5") == both
    assert changed("--dropout", "0.5") == both
    assert first_losses("--weights", "0", "1", "--distillation", "0")["entities"] is None
    assert changed("--pooling", "cls") == {"classes"}
    assert load_directory(tmp_path / "out").model.config.classification_pooling == "cls"
    (tmp_path / "out").rename(tmp_path / "teacher")
    assert changed("--class-teacher", str(tmp_path / "teacher")) == {"disagreement"}
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
    (tmp_path / "ner").write_text('{"tokens": [" "], "tags": ["PER"]}\n')
    (tmp_path / "classes").write_text('{"text": " ", "label": "neutral"}\n')
    assert main(base) == 2
    assert "ner, line 1: token 1 is blank" in capsys.readouterr().err


@pytest.mark.lab
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
