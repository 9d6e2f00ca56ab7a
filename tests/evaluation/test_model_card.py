"""The model card's numbers are those that were measured."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.cli.main import main
from mtdemo.config import Settings
from mtdemo.evaluation.card_text import render
from mtdemo.evaluation.evaluate import evaluate_file
from mtdemo.evaluation.model_card import CARD_FILE, REPORT_FILE, read_report
from mtdemo.serving.service import ModelService

EMBEDDED = Path(Settings().checkpoint)
NER = [
    {"tokens": ["john", "sat"], "tags": ["B-PER", "O"], "source": "one"},
    {"tokens": ["the", "cat", "of", "paris"], "tags": ["O", "O", "O", "B-LOC"], "source": "two", "annotated": ["LOC"]},
]
CLASSES = [
    {"text": "the cat", "label": "positive", "source": "one"},
    {"text": "on the mat", "label": "negative", "source": "two"},
]
CARD = "# Mine\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nThe rest.\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "ner.jsonl").write_text("".join(json.dumps(row) + "\n" for row in NER))
    (tmp_path / "classes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CLASSES))
    (tmp_path / "pairs.tsv").write_text("5\tthe cat\ta cat\n1\tjohn\tthe mat\n2\tparis\tthe mat\n")
    return [
        *("--ner", str(tmp_path / "ner.jsonl")),
        *("--classification", str(tmp_path / "classes.jsonl")),
        *("--similarity", str(tmp_path / "pairs.tsv")),
    ]


@pytest.fixture
def checkpoint(tiny: Callable[..., Path]) -> Path:
    directory = tiny(trained_heads=["classification_head", "ner_head"])
    (directory / CARD_FILE).write_text(CARD)
    return directory


def test_the_embedded_card_is_what_its_report_makes() -> None:
    card = (EMBEDDED / CARD_FILE).read_text(encoding="utf-8")
    assert f"\n{render(read_report(EMBEDDED))}\n<!-- measured: end -->" in card


def test_numbers_of_other_weights_are_not_written(
    checkpoint: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    assert main(["card", "--checkpoint", str(checkpoint)]) == 0
    with (checkpoint / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        last = weights.read(1)
        weights.seek(-1, 2)
        weights.write(bytes([last[0] ^ 1]))
    capsys.readouterr()
    assert main(["card", "--checkpoint", str(checkpoint)]) == 2
    assert "measured with other weights; give data files" in capsys.readouterr().err


def test_the_report_says_what_evaluate_says(checkpoint: Path, files: list[str]) -> None:
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    report = read_report(checkpoint)
    service = ModelService(Settings(checkpoint=str(checkpoint)))
    for task, key, path in (("ner", "entities", files[1]), ("classification", "classes", files[3])):
        assert report[key]["all"] == evaluate_file(service, task, Path(path)).as_dict()
        assert set(report[key]) == {"all", "one", "two"}
        assert sum(report[key][source]["n_sentences"] for source in ("one", "two")) == report[key]["all"]["n_sentences"]
    assert report["similarity"] == evaluate_file(service, "similarity", Path(files[5])).as_dict()
    assert sum(found["n_answers"] for found in report["calibration"]["classes"]["bins"]) == len(CLASSES)


def test_only_the_section_of_the_card_changes_and_it_can_be_made_again_without_data(
    checkpoint: Path, files: list[str]
) -> None:
    main(["card", "--checkpoint", str(checkpoint), *files])
    card = (checkpoint / CARD_FILE).read_text()
    assert card.startswith("# Mine\n\n<!-- measured: begin -->\n")
    assert card.endswith("<!-- measured: end -->\n\nThe rest.\n")
    assert "old" not in card
    assert "| two | 1 |" in card
    (checkpoint / CARD_FILE).write_text(CARD)
    assert main(["card", "--checkpoint", str(checkpoint)]) == 0
    assert (checkpoint / CARD_FILE).read_text() == card
    assert str(checkpoint.parent.parent) not in card, "a card names no folder of the machine that wrote it"


@pytest.mark.parametrize(
    ("prepare", "arguments", "words"),
    [
        (lambda d: None, ["--ner", "x"], "needs all of --ner, --classification and --similarity"),
        (lambda d: None, [], f"{REPORT_FILE} cannot be read"),
        (lambda d: (d / REPORT_FILE).write_text("[]"), [], f"{REPORT_FILE} holds no report of a measurement"),
        (lambda d: (d / CARD_FILE).write_bytes(b"\xff"), [], "README.md cannot be read"),
        (lambda d: (shutil.copy(EMBEDDED / REPORT_FILE, d), (d / CARD_FILE).write_text("x")), [], "no lines <!--"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    checkpoint: Path,
    prepare: Callable[[Path], object],
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(checkpoint)
    assert main(["card", "--checkpoint", str(checkpoint), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_source_that_is_called_as_the_total_stands_beside_it(checkpoint: Path, files: list[str]) -> None:
    named = [{**row, "source": source} for row, source in zip(NER, ("all", ""), strict=True)]
    Path(files[1]).write_text("".join(json.dumps(row) + "\n" for row in named))
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    entities = read_report(checkpoint)["entities"]
    assert {source: found["n_sentences"] for source, found in entities.items()} == {
        "all": 2, "the source 'all'": 1, "no source named": 1,
    }  # fmt: skip


def test_no_card_is_written_of_a_head_that_is_untrained(
    tiny: Callable[..., Path], files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tiny("half", trained_heads=["ner_head"])
    assert main(["card", "--checkpoint", str(directory), *files]) == 2
    assert f"The classes of {directory} are untrained: there is nothing to measure" in capsys.readouterr().err
    assert not (directory / CARD_FILE).exists() and not (directory / REPORT_FILE).exists()


def test_a_similarity_without_a_correlation_is_told_in_words(checkpoint: Path, files: list[str]) -> None:
    Path(files[5]).write_text("5\tthe cat\tthe cat\n1\tthe cat\tthe cat\n")
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    assert read_report(checkpoint)["similarity"]["spearman"] is None
    assert "over 2 pairs the cosine has the same value everywhere" in (checkpoint / CARD_FILE).read_text()


def test_a_checkpoint_without_a_card_gets_one(checkpoint: Path, files: list[str]) -> None:
    (checkpoint / CARD_FILE).unlink()
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    card = (checkpoint / CARD_FILE).read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert render(read_report(checkpoint)) in card


def test_no_card_is_written_for_a_model_of_the_hub(capsys: pytest.CaptureFixture[str]) -> None:
    card = (EMBEDDED / CARD_FILE).read_bytes()
    assert main(["card", "--checkpoint", "someone/model"]) == 2
    assert "'someone/model' must be a directory" in capsys.readouterr().err
    assert (EMBEDDED / CARD_FILE).read_bytes() == card


def test_a_source_of_any_name_is_one_row(checkpoint: Path, files: list[str]) -> None:
    named = [{**row, "source": source} for row, source in zip(NER, ("news | 2024", "line one\nreddit_a*b"), strict=True)]
    Path(files[1]).write_text("".join(json.dumps(row) + "\n" for row in named))
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    card = (checkpoint / CARD_FILE).read_text()
    assert "\n| news \\| 2024 | 1 |" in card
    assert "\n| line one reddit_a\\*b | 1 |" in card


def test_the_card_says_how_touching_entities_are_counted(checkpoint: Path, files: list[str]) -> None:
    Path(files[1]).write_text('{"tokens": ["john", "paris"], "tags": ["B-PER", "B-PER"]}\n')
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    assert "count apart, as conlleval counts them: 1 gold entities directly follow" in (checkpoint / CARD_FILE).read_text()


def test_the_card_has_every_source_with_its_interval_and_its_calibration(checkpoint: Path, files: list[str]) -> None:
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    report, card = read_report(checkpoint), (checkpoint / CARD_FILE).read_text()
    assert "the interval of 95 % of 1,000 bootstrap samples of the rows (seed 13)" in card
    for task, n_columns in (("entities", 7), ("classes", 5)):
        by_source = report["by_source"][task]
        assert set(by_source["sources"]) == {"one", "two"}
        assert by_source["total"]["score"]["value"] == pytest.approx(
            report[task]["all"]["f1" if task == "entities" else "macro_f1"]
        )
        lines = [line for line in card.splitlines() if line.startswith("| mean over sources |")]
        assert any(line.count(" | ") == n_columns - 1 for line in lines)


def test_the_card_compares_with_the_checkpoint_before(
    checkpoint: Path, files: list[str], tiny: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tiny("before", seed=1, trained_heads=["classification_head", "ner_head"])
    arguments = ["card", "--checkpoint", str(checkpoint), "--against"]
    assert main([*arguments, str(before)]) == 2
    assert main([*arguments, "someone/model", *files]) == 2
    assert "'someone/model' must be a directory to compare with" in capsys.readouterr().err
    assert main([*arguments, str(before), *files]) == 0
    report = read_report(checkpoint)
    alone = evaluate_file(ModelService(Settings(checkpoint=str(before))), "similarity", Path(files[5]))
    assert report["by_source"]["similarity"]["total"]["other_score"]["value"] == pytest.approx(alone.main)
    card = (checkpoint / CARD_FILE).read_text()
    assert "| F1 of before | difference |" in card and "macro-F1 of before" in card
    assert str(before.parent) not in card


def test_a_report_of_an_earlier_version_is_to_be_measured_anew(
    checkpoint: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "--checkpoint", str(checkpoint), *files]) == 0
    report = {name: value for name, value in read_report(checkpoint).items() if name != "by_source"}
    (checkpoint / REPORT_FILE).write_text(json.dumps(report))
    assert main(["card", "--checkpoint", str(checkpoint)]) == 2
    assert "is of an earlier version; give data files" in capsys.readouterr().err
