"""Files annotated in parts: what is done stays done, whoever does it.

A part is a fixed number of lines, whose bytes depend on them and on the settings alone. It is written under another name
and renamed when it is whole, so a part that exists is finished, and the same command after a crash computes the others.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from mtdemo.cluster.connection import settings_of_workers
from mtdemo.config import Settings
from mtdemo.errors import DataFileError
from mtdemo.files import FilePart, part_file, reading, writing
from mtdemo.serving.file_annotation import AnnotationReport, Outputs, RowFile, annotate_file
from mtdemo.serving.service import PORTION, ModelService

LINES_PER_PART = 16 * PORTION  # portions begin where those of the whole file begin
_PARTS = "parts"  # in the directory of the output, while it is made
_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part to compute, and its files."""

    part: FilePart
    outputs: Outputs

    @property
    def report(self) -> Path:
        """Counts, renamed last: a part with them is finished."""
        return self.outputs.records.with_suffix(".json")


PartRunner = Callable[[Settings, Sequence[PartTask]], Iterable[object]]  # an item for each part that is finished


def settings_of_parts(settings: Settings) -> Settings:
    """Return settings whose bytes depend on a part alone.

    Nothing is remembered from other parts.
    """
    return replace(settings_of_workers(settings), max_cache_bytes=0)


def annotate_in_parts(
    outputs: Mapping[Path, Outputs],
    directory: Path,
    settings: Settings,
    run: PartRunner,
    progress: Callable[[int, int], object] = lambda n_done, n_parts: None,
    report: Callable[[str], object] = lambda problem: None,
    lines_per_part: int = LINES_PER_PART,
) -> AnnotationReport:
    """Annotate files, as `annotate_file` does, by whoever runs parts.

    Args:
        outputs: of each text file, as `name_outputs` gives them.
        directory: of the outputs, and of the parts meanwhile.
        settings: of the services that answer, but for what `settings_of_parts` changes.
        run: computes parts, in any order.
        progress: told of parts done and parts in all.
        report: called with a sentence for each line that has a problem, in order, when all is done.
        lines_per_part: of each part but the last of a file; a multiple of `PORTION`.

    Raises:
        DataFileError: a file cannot be read or written, or the directory holds parts of another command.
        CheckpointError: the model cannot be loaded.
    """
    settings = settings_of_parts(settings)
    parts = directory.absolute() / _PARTS
    with writing(parts):
        parts.mkdir(parents=True, exist_ok=True)
    _check_plan(parts / _PLAN, outputs, settings, lines_per_part)
    tasks = {source: _plan(source, parts, its, lines_per_part) for source, its in outputs.items()}
    missing = [task for its in tasks.values() for task in its if not task.report.exists()]
    n_parts = sum(map(len, tasks.values()))
    progress(n_parts - len(missing), n_parts)
    for n_done, _ in enumerate(run(settings, missing) if missing else (), start=n_parts - len(missing) + 1):
        progress(n_done, n_parts)
    counts = AnnotationReport()
    for source, its in tasks.items():
        counts += _join(source, its, outputs[source], report)
    shutil.rmtree(parts)
    return counts


def annotate_part(service: ModelService, task: PartTask) -> None:
    """Compute a part, unless it is finished.

    Raises:
        DataFileError: its file cannot be read or written.
    """
    if task.report.exists():
        return
    name = uuid4().hex  # of its own, since another worker may be at this part, too
    own = replace(task, outputs=_in_folder(task.outputs, task.report.parent, name))
    problems: list[str] = []
    counts = annotate_file(service, task.part, own.outputs.records, own.outputs.embeddings, report=problems.append)
    with writing(task.report):
        own.report.write_text(json.dumps({"counts": asdict(counts), "problems": problems}), encoding="utf-8")
        os.replace(own.outputs.records, task.outputs.records)
        if own.outputs.embeddings and task.outputs.embeddings:
            os.replace(own.outputs.embeddings, task.outputs.embeddings)
        os.replace(own.report, task.report)


def _check_plan(file: Path, outputs: Mapping[Path, Outputs], settings: Settings, n_lines: int) -> None:
    """Make sure that finished parts are those of this command."""
    known = []
    for source, its in outputs.items():
        with reading(source):
            info = source.stat()
        known.append([str(source.resolve()), info.st_size, info.st_mtime_ns, its.embeddings is not None])
    plan = json.dumps({"files": known, "settings": asdict(settings), "lines": n_lines})
    if not file.exists():
        with writing(file):
            file.write_text(plan, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != plan:
        raise DataFileError(
            f"{file.parent} holds parts of another command: of other files, of one that was changed, or with other "
            "settings. Delete it to begin anew, or choose another --output."
        )


def _plan(source: Path, parts: Path, outputs: Outputs, n_lines: int) -> list[PartTask]:
    folder = parts / outputs.records.stem
    with writing(folder):
        folder.mkdir(exist_ok=True)
    return [
        PartTask(part, _in_folder(outputs, folder, f"{part.first:012d}")) for part in part_file(source.absolute(), n_lines)
    ]


def _in_folder(outputs: Outputs, folder: Path, name: str) -> Outputs:
    """Name outputs of the same kinds in a folder."""
    return Outputs(folder / f"{name}.jsonl", folder / f"{name}.npy" if outputs.embeddings else None)


def _join(source: Path, tasks: Sequence[PartTask], outputs: Outputs, report: Callable[[str], object]) -> AnnotationReport:
    """Put the parts of a file together, in order."""
    with writing(outputs.records), outputs.records.open("wb") as whole:
        for task in tasks:
            with task.outputs.records.open("rb") as part:
                shutil.copyfileobj(part, whole)
    if outputs.embeddings:
        embeddings = [task.outputs.embeddings for task in tasks if task.outputs.embeddings]
        width = np.load(embeddings[0], mmap_mode="r").shape[1]
        with RowFile(outputs.embeddings, width) as rows:
            for file in embeddings:
                rows.extend(np.load(file))
    counts = AnnotationReport()
    for task in tasks:
        told = json.loads(task.report.read_text(encoding="utf-8"))
        counts += AnnotationReport(**told["counts"])
        for problem in told["problems"]:
            report(f"{source}: {problem}")
    return counts
