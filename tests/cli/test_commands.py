import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdemo.cli.main import main
from mtdemo.models.checkpoints import load_directory

Write = Callable[..., Path]


@pytest.mark.model
def test_annotate_writes_records_and_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_bytes(b"John lives in Paris.\n\nbad \xff\n")
    output, embeddings = tmp_path / "out.jsonl", tmp_path / "out.npy"
    assert main(["annotate", str(tmp_path / "in.txt"), "--output", str(output), "--embeddings", str(embeddings)]) == 0
    assert len(output.read_text().splitlines()) == len(np.load(embeddings)) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Line 3: not UTF-8" in captured.err
    assert "3 lines: 1 blank, 1 with a problem" in captured.err


def test_annotate_writes_several_files_into_a_directory(
    tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_bytes(b"the cat\nbad \xff\n")
    (tmp_path / "two.txt").write_text("paris\n")
    sources = [str(tmp_path / name) for name in ("one.txt", "two.txt")]
    assert main(["annotate", *sources, "--output", str(tmp_path / "out"), "--embeddings", "--checkpoint", str(tiny())]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.jsonl", "one.npy", "two.jsonl", "two.npy"]
    assert len(np.load(tmp_path / "out" / "one.npy")) == 2
    said = capsys.readouterr().err
    assert f"{sources[0]}: Line 2: not UTF-8" in said
    assert "3 lines: 0 blank, 1 with a problem" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["a.txt", "b.txt", "--embeddings", "x.npy"], "--embeddings takes a name where --output is a file"),
        (["a.txt", "--embeddings"], "--embeddings takes a name where --output is a file"),
        (["a.txt", "b/a.txt"], "b/a.txt and another input would both be written to"),
        (["a.txt", "out/b.jsonl"], "What is made of out/b.jsonl would overwrite an input"),
        (["a.txt", "--workers", "2"], "--workers belongs to --ray"),
        (["a.txt", "--ray"], "Ray is not installed"),
    ],
)
def test_what_cannot_be_annotated_together_is_told(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(tmp_path)
    assert main(["annotate", *options, "--output", "out"]) == 2
    assert words in capsys.readouterr().err


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
    for names in ("MISC,LOC", "MISC, LOC", " LOC,MISC,"):
        assert not {"MISC", "LOC"} & set(result("--ignore-labels", names)["per_label"])


@pytest.mark.parametrize(
    ("task", "names", "words"),
    [
        ("ner", "MISC,CITY", "There is no entity type 'CITY' to ignore; there are LOC, MISC, ORG, PER."),
        ("ner", "loc", "There is no entity type 'loc'"),
        ("classification", "LOC", "Only entity types can be ignored, and the task classification has none."),
    ],
)
def test_a_type_that_cannot_be_ignored_is_refused(
    task: str, names: str, words: str, tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        "ner": {"tokens": ["john", "sat"], "tags": ["B-MISC", "O"]},
        "classification": {"text": "the cat", "label": "neutral"},
    }
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(rows[task]) + "\n")
    arguments = ["--task", task, "--data", str(path), "--checkpoint", str(tiny(entity_labels=["O", "PER", "ORG", "LOC"]))]
    assert main(["evaluate", *arguments, "--ignore-labels", names]) == 2
    assert words in capsys.readouterr().err


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


def test_calibrate_writes_a_checkpoint_whose_heads_alone_are_others(
    tiny: Write, few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--base", str(tiny()), *few]) == 0
    arguments = ["calibrate", "--checkpoint", str(tmp_path / "out"), "--output", str(tmp_path / "calibrated")]
    assert main(arguments) == 2
    assert "Sentences that were not trained on are needed" in capsys.readouterr().err
    assert main([*arguments, "--classification", str(tmp_path / "classes")]) == 0
    said = capsys.readouterr().err
    temperature = float(
        re.search(r"divided: classes by ([0-9.]+)\. A change of type inside a name costs 0\. Saved", said)[1]
    )  # type: ignore[index]
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
    assert f"{path}, line 3: the text is blank" in capsys.readouterr().err
    path.write_text("text,label\nthe cat,neutral\n" + "cat " * 20_000 + ",neutral\n")
    assert main(arguments) == 2
    assert f"{path} has a sentence that cannot be read, 'cat cat" in capsys.readouterr().err


def test_evaluate_compares_two_checkpoints_by_source(
    tmp_path: Path, tiny: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command for each task; the other model's scores are those that it has by itself."""
    rows = [{"tokens": ["john", "sat"], "tags": ["B-PER", "O"], "source": "ab"[n % 2]} for n in range(6)]
    (tmp_path / "ner").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "classification").write_text(
        "".join(json.dumps({"text": f"the cat {n}", "label": "neutral", "source": "ab"[n % 2]}) + "\n" for n in range(6))
    )
    (tmp_path / "similarity").write_text("1\tthe cat\tthe mat\n5\tjohn\tjohn\n3\ta\tparis\n")
    before, after = (str(tiny(f"m{seed}", seed=seed)) for seed in (1, 2))

    def result(task: str, checkpoint: str, *more: str) -> dict[str, Any]:
        arguments = ["evaluate", "--task", task, "--data", str(tmp_path / task), "--checkpoint", checkpoint, "--json"]
        assert main([*arguments, *more]) == 0
        captured = capsys.readouterr()
        assert ("| source |" in captured.err) == bool(more)
        found: dict[str, Any] = json.loads(captured.out.splitlines()[-1], parse_constant=pytest.fail)
        return found

    for task in ("ner", "classification", "similarity"):
        alone, compared = result(task, before, "--by-source"), result(task, after, "--against", before)
        assert "by_source" not in result(task, after)
        assert alone["against"] is None and compared["against"] == before
        total = compared["by_source"]["total"]
        assert total["other_score"] == alone["by_source"]["total"]["score"]
        assert total["difference"]["value"] == pytest.approx(total["score"]["value"] - total["other_score"]["value"])
        assert set(compared["by_source"]["sources"]) == (set() if task == "similarity" else {"a", "b"})
