import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.errors import UnknownNameError
from mtdemo.evaluation.evaluate import evaluate_file
from mtdemo.evaluation.metrics import ClassScores
from mtdemo.evaluation.task_tests import TASK_TESTS
from mtdemo.models.parts import TASKS
from mtdemo.serving.service import ModelService


def test_files_are_measured_through_the_service(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    path = tmp_path / "data"
    path.write_text('{"tokens": ["john"], "tags": ["B-PER"]}\n' * 3)
    told: list[tuple[str, int, int]] = []
    result = evaluate_file(service, "ner", path, limit=2, progress=lambda *done: told.append(done)).as_dict()
    assert {"precision", "recall", "f1", "per_label", "n_sentences"} <= result.keys()
    assert result["n_sentences"] == 2
    assert told[-1] == ("evaluating", 2, 2)
    path.write_text('{"text": "the cat", "label": "neutral"}\n')
    result = evaluate_file(service, "classification", path).as_dict()
    assert {"accuracy", "macro_f1", "per_label", "n_sentences"} <= result.keys()
    path.write_text("1\tthe cat\tthe mat\n5\tjohn\tjohn\n3\ta\tparis\n")
    result = evaluate_file(service, "similarity", path).as_dict()
    assert set(result) == {"spearman", "pearson", "n_pairs"}
    json.dumps(result)
    with pytest.raises(UnknownNameError, match="no task 'x'"):
        evaluate_file(service, "x", path)


def test_the_embedded_checkpoint_knows_easy_sentences(service: ModelService, tmp_path: Path) -> None:
    path = tmp_path / "easy"
    rows = [("I love this!", "positive"), ("This is terrible.", "negative"), ("The meeting is at nine.", "neutral")]
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    assert evaluate_file(service, "classification", path).accuracy == 1.0  # type: ignore[union-attr]


def test_what_was_not_read_is_told(tmp_path: Path, tiny: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pairs"
    path.write_text(f"5\tแมวนั่ง\tthe cat\n0\tthe mat\t{'the cat ' * 300}\n")
    evaluate_file(ModelService(Settings(checkpoint=str(tiny()))), "similarity", path)
    assert f"{path}: 1 of 4 sentences are longer than what is read" in caplog.text
    assert f"{path}: 1 of 4 sentences have word pieces that the model does not know" in caplog.text


def test_every_task_has_its_test() -> None:
    assert tuple(test.task for test in TASK_TESTS) == TASKS


def test_a_limit_draws_rows_of_the_whole_file(service: ModelService, tmp_path: Path) -> None:
    """The head of a file that is sorted by class holds one class only."""
    path = tmp_path / "sorted"
    rows = [(f"I love it, {i}!", "positive") for i in range(40)] + [(f"I hate it, {i}!", "negative") for i in range(40)]
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    scores = evaluate_file(service, "classification", path, limit=6)
    assert isinstance(scores, ClassScores)
    assert scores.n_sentences == 6
    assert min(scores.per_label[name].support for name in ("positive", "negative")) > 0
