"""Loop: the log, measurements and the best weights."""

import copy
import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.errors import ResumeError, TrainingError
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.training.loop import LOG_FILE, STATE_FILE, train
from mtdemo.training.settings import TrainingSettings
from tests.training.runs import (
    FAST_PLAN,
    LABELLED,
    QUICK,
    TAGGED,
    Asked,
    make_trainer,
    run,
    run_until,
    state,
)


def test_the_log_of_a_run_that_goes_on_counts_its_seconds_from_where_it_stopped(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(start=1000, step=10)
    monkeypatch.setattr("mtdemo.training.loop.time.monotonic", lambda: next(now))
    run_until(7, directory, QUICK, tmp_path / "out")
    run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    assert [(row["step"], row["seconds"]) for row in rows] == [(5, 10), (10, 20), (12, 30)]


def test_a_loss_that_is_no_number_stops_before_anything_is_written(directory: Path, tmp_path: Path) -> None:
    base = load_directory(directory)
    with torch.no_grad():
        base.model.backbone.encoder.layer[0].output.dense.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="Step 1"):
        train(base, TAGGED, LABELLED, TrainingSettings(n_steps=2, interval=1), lambda *_: None, tmp_path / "out")
    assert not (tmp_path / "out" / STATE_FILE).exists()


@pytest.mark.parametrize(
    ("metrics", "kept"), [((math.nan, 0.5, math.nan), 1), ((math.nan, math.nan, math.nan), 2), ((math.inf, 0.5, 0.4), 1)]
)
def test_a_measure_that_is_no_number_chooses_nothing_and_the_log_stays_json(
    directory: Path, tmp_path: Path, metrics: tuple[float, ...], kept: int
) -> None:
    """Without any number the last weights are kept, as they are without a measurement."""

    class Score:
        phrase = "x"

        def __init__(self, selection_metric: float) -> None:
            self.selection_metric = selection_metric

        def as_dict(self) -> dict[str, float]:
            return {"selection_metric": self.selection_metric}

    scores = iter(metrics)
    trainers: list[LoadedModel] = []

    def measure(model: LoadedModel) -> Score:
        trainers.append(replace(model, model=copy.deepcopy(model.model)))
        return Score(next(scores))

    trained, _ = run(directory, replace(QUICK, n_steps=6, interval=2), directory=tmp_path / "out", evaluator=Asked(measure))
    assert all(torch.equal(tensor, state(trainers[kept])[name]) for name, tensor in state(trained).items())
    rows = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    expected = [metric if math.isfinite(metric) else None for metric in metrics]
    assert [row["scores"]["selection_metric"] for row in rows] == expected


def test_the_best_weights_are_kept_and_the_log_tells_each_measurement(directory: Path, tmp_path: Path) -> None:
    """The measure prefers the weights of step 4; a resumed run knows them as an uninterrupted one does."""
    settings = TrainingSettings(n_steps=8, sentences_per_step=16, plan=FAST_PLAN, interval=2)
    weights: list[torch.Tensor] = []

    class Prefer:
        phrase = "x 0"

        def __init__(self, selection_metric: float) -> None:
            self.selection_metric = selection_metric

        def as_dict(self) -> dict[str, float]:
            return {"selection_metric": self.selection_metric}

    def measure(model: LoadedModel) -> Prefer:
        assert not model.model.training
        weights.append(model.model.ner_head.linear.weight.clone())
        return Prefer(float(len(weights) == 2))

    run_until(7, directory, settings, tmp_path / "out", evaluator=Asked(measure))
    for other in (None, Asked(measure, "other sentences")):
        with pytest.raises(ResumeError, match="measured on other sentences"):
            run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out", evaluator=other)
    trained, _ = run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out", evaluator=Asked(measure))
    assert torch.equal(trained.model.ner_head.linear.weight, weights[1])
    assert not torch.equal(weights[1], weights[-1])
    rows = [json.loads(line) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    assert [row["scores"]["selection_metric"] for row in rows] == [0.0, 1.0, 0.0, 0.0]


def test_measuring_changes_nothing(directory: Path) -> None:
    plain, _ = run(directory, QUICK)
    measured, _ = run(directory, QUICK, evaluator=ValidationSets(tagged=TAGGED[:4]))
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    for _ in range(QUICK.n_steps):
        trainer.step()
        trainer.measure(ValidationSets(labelled=LABELLED[:3]))
    for name, tensor in state(plain).items():
        assert torch.equal(tensor, trainer.model.state_dict()[name]), name
    assert measured.info.trained_heads == plain.info.trained_heads


def test_the_log_and_the_progress_tell_of_every_source(directory: Path, tmp_path: Path) -> None:
    held_out = [replace(row, source="ab"[number % 2]) for number, row in enumerate(LABELLED[:8])]
    sets = ValidationSets(labelled=held_out)
    _, told = run(directory, replace(QUICK, n_steps=2), directory=tmp_path / "out", evaluator=sets)
    (row,) = (json.loads(line) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines())
    assert set(row["scores"]["by_source"]["classes"]) == {"a", "b"}
    assert row["scores"]["by_source"]["entities"] == {}
    assert row["scores"]["macro_f1"] == pytest.approx(sum(row["scores"]["by_source"]["classes"].values()) / 2)
    assert re.search(r"class F1 [0-9.]+ \([ab] [0-9.]+ to [ab] [0-9.]+\)", told[-1])
