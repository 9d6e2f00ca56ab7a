"""Two workers on this machine, of which one is killed: no line is lost, and no byte is another."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cluster import killing_one
from mtdemo.cluster.parts import PORTION, PartTask, annotate_in_parts, settings_of_parts
from mtdemo.cluster.workers import PartWorker, run_on
from mtdemo.config import Settings
from mtdemo.errors import CheckpointNotFoundError
from mtdemo.files import FilePart
from mtdemo.serving.file_annotation import Outputs, annotate_file, name_outputs
from mtdemo.serving.service import ModelService

N_PARTS = 8
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's, of itself


def test_a_killed_worker_costs_no_line_and_changes_no_byte(
    ray: Any, tiny: Callable[..., Path], tmp_path: Path, called_outside: Callable[[], set[str]]
) -> None:
    settings, source = settings_of_parts(Settings(checkpoint=str(tiny()))), tmp_path / "lines.txt"
    lines = [f"the cat {'sat ' * (n % 23)}on mat {n % 3}" if n % 5 else "" for n in range((N_PARTS - 1) * PORTION)]
    source.write_text("\n".join([*lines, "x" * 60_000, "paris"]))
    steps: list[tuple[int, int]] = []
    told_by_ray: list[str] = []
    outputs = name_outputs([source], tmp_path / "ray", has_embeddings=True)
    with killing_one(tmp_path / "ray") as killed:
        counts = annotate_in_parts(
            outputs,
            tmp_path / "ray",
            settings,
            run_on(ray, 2),
            lambda *step: steps.append(step),
            told_by_ray.append,
            PORTION,
        )
    assert killed, "a worker was killed while others worked"
    assert steps == [(n_done, N_PARTS) for n_done in range(N_PARTS + 1)]
    told: list[str] = []
    whole = annotate_file(ModelService(settings), source, tmp_path / "one.jsonl", tmp_path / "one.npy", report=told.append)
    assert counts == whole
    assert told_by_ray == [f"{source}: {problem}" for problem in told]
    for name, one in (("lines.jsonl", "one.jsonl"), ("lines.npy", "one.npy")):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / one).read_bytes()
    assert called_outside() == set()


def test_what_a_worker_cannot_do_is_told_and_not_tried_again(tmp_path: Path) -> None:
    settings = settings_of_parts(Settings(checkpoint=str(tmp_path / "nothing")))
    task = PartTask(FilePart(tmp_path / "lines.txt", 0, 1, 1), Outputs(tmp_path / "part.jsonl"))
    told = PartWorker(settings)({"item": pickle.dumps(task)})
    with pytest.raises(CheckpointNotFoundError) as told_here:
        ModelService(settings).load()
    assert told == {"error": str(told_here.value)}
