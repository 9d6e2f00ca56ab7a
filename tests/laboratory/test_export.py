"""A run as a ZIP: every file is there and says what the run said. The page's tests pack a real one."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from mtdemo.laboratory.export import pack_run
from mtdemo.laboratory.run_store import Run
from mtdemo.models.checkpoints import load_directory
from mtdemo.planning.training_plan import TrainingPlan

HISTORY = [
    {"step": step, "seconds": step / 2, "entity_f1": 0.5, "macro_f1": 0.6, "output_f1": None, "losses": losses}
    for step, losses in ((0, None), (3, {"entities": 0.1, "classes": None}))
]
REPORT = {
    "n_steps": 3,
    "training_seconds": 1.25,
    "settings": {"n_steps": 3, "seed": 7, "task_weights": {"entities": 1.0, "classes": 0.0}},
    "ending": "done",
    "history": HISTORY,
    "embedding_cosine": 0.99,
    "share_of_changed_answers": {"entities": 0.25, "classes": 0.0},
}
RUNS = [Run(number, f"plan, {number}", TrainingPlan(("backbone",)), 150_920, 10**8, REPORT) for number in (1, 2)]


def test_a_run_is_packed_with_its_numbers_plan_and_model(tiny: Callable[..., Path], tmp_path: Path) -> None:
    trained = load_directory(tiny())
    content = pack_run(RUNS[1], RUNS, trained)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "run")
    run = tmp_path / "run"
    assert json.loads((run / "run.json").read_text())["title"] == "plan, 2"
    assert TrainingPlan.from_dict(json.loads((run / "plan.json").read_text())) == RUNS[1].plan
    history = list(csv.DictReader((run / "history.csv").open()))
    assert [row["step"] for row in history] == ["0", "3"]
    assert history[1]["losses_entities"] == "0.1"
    runs = list(csv.DictReader((run / "runs.csv").open()))
    assert [(row["run"], row["title"], row["share_of_changed_answers_entities"]) for row in runs] == [
        ("1", "plan, 1", "0.25"),
        ("2", "plan, 2", "0.25"),
    ]
    assert (runs[0]["seed"], runs[0]["training_seconds"], runs[0]["task_weights_entities"]) == ("7", "1.25", "1.0")
    assert pack_run(RUNS[1], RUNS, trained) == content, "the same run is the same file"
    loaded = load_directory(run / "checkpoint").model.state_dict()
    for name, tensor in trained.model.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor, atol=1e-3, rtol=1e-3)
    named = {line.split()[0] for line in (run / "README.txt").read_text().splitlines() if line[0] != " "}
    assert named == {"run.json", "history.csv", "runs.csv", "plan.json", "checkpoint/"}
