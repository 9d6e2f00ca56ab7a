"""Files in parts: the bytes of the whole, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mtdemo.cluster.parts import PartTask, annotate_in_parts, annotate_part, settings_of_parts
from mtdemo.config import Settings
from mtdemo.errors import DataFileError
from mtdemo.serving.file_annotation import AnnotationReport, annotate_file, name_outputs
from mtdemo.serving.service import PORTION, ModelService

LINES = [f"the cat {'sat ' * (n % 13)}on mat" for n in range(2 * PORTION)]
LINES[3], LINES[300], LINES[301], LINES[302] = "", "x" * 60_000, "the\0cat", LINES[0]


class StoppedError(Exception):
    """The machine was switched off."""


@pytest.fixture
def settings(tiny: Callable[..., Path]) -> Settings:
    return settings_of_parts(Settings(checkpoint=str(tiny())))


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    first, second, empty = tmp_path / "first.txt", tmp_path / "second.txt", tmp_path / "empty.txt"
    first.write_text("\n".join([*LINES, "paris !"]), encoding="utf-8")
    second.write_bytes(b"paris\r\nna\xefve\rthe mat\n")
    empty.touch()
    return [first, second, empty]


class Runner:
    """Computes parts in this process, the last one first, until it is stopped."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.computed: list[tuple[str, int]] = []

    def __call__(self, settings: Settings, tasks: Sequence[PartTask]) -> Iterator[None]:
        service = ModelService(settings)
        for number, task in enumerate(reversed(tasks)):
            if number == self.most:
                task.outputs.records.with_name("half-written.jsonl").write_text("{")
                raise StoppedError
            self.computed.append((task.part.path.name, task.part.first))
            annotate_part(service, task)
            yield


def annotate(
    sources: Sequence[Path], directory: Path, settings: Settings, run: Runner, report: Callable[[str], object] = str
) -> AnnotationReport:
    outputs = name_outputs(sources, directory, has_embeddings=True)
    return annotate_in_parts(outputs, directory, settings, run, report=report, lines_per_part=PORTION)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_parts_put_together_are_the_bytes_of_the_whole(sources: list[Path], settings: Settings, tmp_path: Path) -> None:
    told: list[str] = []
    counts = annotate(sources, tmp_path / "out", settings, Runner(), told.append)
    service, whole, problems = ModelService(settings), AnnotationReport(), []
    (tmp_path / "one").mkdir()
    for source, its in name_outputs(sources, tmp_path / "one", has_embeddings=True).items():
        its_problems: list[str] = []
        whole += annotate_file(service, source, its.records, its.embeddings, report=its_problems.append)
        problems += [f"{source}: {problem}" for problem in its_problems]
    assert contents(tmp_path / "out") == contents(tmp_path / "one")
    assert counts == whole
    assert (counts.n_lines, counts.n_blank, counts.n_problems) == (len(LINES) + 4, 1, 3)
    assert told == problems
    assert np.isnan(np.load(tmp_path / "out" / "first.npy")[[3, 300]]).all()
    assert np.load(tmp_path / "out" / "empty.npy").shape == (0, 16)


def test_after_a_crash_only_what_is_missing_is_computed(sources: list[Path], settings: Settings, tmp_path: Path) -> None:
    runs = [Runner(most=1), Runner(most=2), Runner()]
    for run in runs[:2]:
        with pytest.raises(StoppedError):
            annotate(sources, tmp_path / "out", settings, run)
    counts = annotate(sources, tmp_path / "out", settings, runs[2])
    first, second, empty = (source.name for source in sources)
    assert [run.computed for run in runs] == [
        [(empty, 1)],
        [(second, 1), (first, 2 * PORTION + 1)],
        [(first, PORTION + 1), (first, 1)],
    ]
    assert counts == annotate(sources, tmp_path / "again", settings, Runner())
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


def test_parts_of_another_command_are_not_taken_for_its_own(
    sources: list[Path], settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        annotate(sources, out, settings, Runner(most=0))
    with pytest.raises(DataFileError, match="parts of another command"):
        annotate(sources[:1], out, settings, Runner())
    with pytest.raises(DataFileError, match="parts of another command"):
        annotate(sources, out, Settings(max_length=8), Runner())
    sources[1].write_text("changed\n")
    with pytest.raises(DataFileError, match="parts of another command"):
        annotate(sources, out, settings, Runner())


def test_a_file_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"nothing\.txt cannot be read"):
        annotate([tmp_path / "nothing.txt"], tmp_path / "out", settings, Runner())
