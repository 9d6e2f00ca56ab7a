import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdemo.__main__ import main
from mtdemo.loading import load_directory

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
    path.write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n')
    arguments = ["evaluate", "--task", "ner", "--data", str(path), "--checkpoint", str(tiny()), "--limit", "1"]
    assert main([*arguments, "--ignore-labels", "MISC,LOC", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["n_sentences"] == 1
    assert not {"MISC", "LOC"} & set(result["per_label"])


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
