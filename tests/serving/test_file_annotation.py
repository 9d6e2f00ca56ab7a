import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mtdemo.config import Settings
from mtdemo.errors import DataFileError, InputError
from mtdemo.serving import service
from mtdemo.serving.file_annotation import AnnotationReport, annotate_file
from mtdemo.serving.service import ModelService

CONTENT = (
    b"\xef\xbb\xbfJohn lives in Paris.\r\n\n  \nbad \xff bytes\nNUL\x00 here\n" + b"x" * 300 + b"\nlast line without end"
)


@pytest.fixture
def annotated(tmp_path: Path) -> "Annotated":
    (tmp_path / "in.txt").write_bytes(CONTENT)
    service = ModelService(Settings(max_sentence_characters=200))
    source, out, rows = tmp_path / "in.txt", tmp_path / "out.jsonl", tmp_path / "out.npy"
    told: list[tuple[str, int, int]] = []
    problems: list[str] = []
    report = annotate_file(service, source, out, rows, lambda *step: told.append(step), problems.append)
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert told == [("annotating", number, 0) for number in range(1, len(records) + 1)]
    return records, np.load(tmp_path / "out.npy", allow_pickle=False), report, problems


Annotated = tuple[list[dict[str, object]], np.ndarray, AnnotationReport, list[str]]


@pytest.mark.model
def test_every_line_has_its_record_and_its_row(annotated: Annotated) -> None:
    records, rows, report, _ = annotated
    assert [record["line"] for record in records] == list(range(1, 8))
    assert rows.shape == (7, 384)
    assert rows.dtype == np.float32
    assert [bool(np.isnan(row).all()) for row in rows] == ["error" in record for record in records]
    assert (report.n_lines, report.n_blank, report.n_problems, report.n_truncated) == (7, 2, 3, 0)


@pytest.mark.model
def test_bad_lines_are_reported_by_number_and_not_lost(annotated: Annotated) -> None:
    records, _, report, problems = annotated
    utf8, nul, long = problems
    assert "Line 4: not UTF-8" in utf8
    assert "Line 5: it holds NUL characters" in nul
    assert "Line 6: no result." in long
    assert "300 characters; at most 200" in long
    assert records[3]["text"] == "bad \ufffd bytes"
    assert records[5]["text"] == "x" * 300
    assert "2 blank, 3 with a problem" in report.summary


@pytest.mark.model
def test_results_are_those_of_the_service(annotated: Annotated, service: ModelService) -> None:
    records, rows, _, _ = annotated
    (answer,) = service.analyze(["John lives in Paris."])
    assert records[0]["label"] == answer.label
    assert [e["text"] for e in records[0]["entities"]] == ["John", "Paris"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(rows[0], answer.embedding, atol=1e-5)


def test_a_file_longer_than_any_limit_streams(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), max_sentences=10, max_total_characters=200))
    (tmp_path / "in.txt").write_text("the cat sat\n" * 1000)
    assert annotate_file(service, tmp_path / "in.txt", tmp_path / "out.jsonl").n_lines == 1000


def test_an_empty_file_gives_empty_files(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    (tmp_path / "in.txt").touch()
    service = ModelService(Settings(checkpoint=str(tiny())))
    assert annotate_file(service, tmp_path / "in.txt", tmp_path / "o", tmp_path / "e.npy").n_lines == 0
    assert np.load(tmp_path / "e.npy").shape == (0, 16)


def test_files_that_cannot_be_used_are_named(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    source = tmp_path / "in.txt"
    with pytest.raises(DataFileError, match=r"in\.txt cannot be opened"):
        annotate_file(service, source, tmp_path / "out")
    source.write_text("the cat")
    with pytest.raises(DataFileError, match="named twice"):
        annotate_file(service, source, source)
    with pytest.raises(DataFileError, match=r"missing/out cannot be opened"):
        annotate_file(service, source, tmp_path / "missing" / "out")
    for output, embeddings in ((tmp_path / "o", source), (tmp_path / "o", tmp_path / "x" / ".." / "o")):
        with pytest.raises(DataFileError, match="named twice"):
            annotate_file(service, source, output, embeddings)
    assert source.read_text() == "the cat"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("n_lines", [1, 400])
def test_a_full_disk_is_told(tmp_path: Path, tiny: Callable[..., Path], n_lines: int) -> None:
    service, source, full = ModelService(Settings(checkpoint=str(tiny()))), tmp_path / "in.txt", Path("/dev/full")
    source.write_text("the cat\n" * n_lines)
    for output, embeddings in ((full, None), (tmp_path / "out", full)):
        with pytest.raises(DataFileError, match="/dev/full could not be written: No space left on device"):
            annotate_file(service, source, output, embeddings)


def test_lines_that_are_cut_are_counted_and_blank_lines_do_not_pile_up(
    tmp_path: Path, tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("\n" * 2000 + "the cat sat " * 40)
    asked = ModelService(Settings(checkpoint=str(tiny()), max_length=16))
    portions: list[int] = []
    part = service._portions

    def counted(by: ModelService, sentences: Iterable[str]) -> Iterator[list[str | InputError]]:
        for portion in part(by, sentences):
            portions.append(len(portion))
            yield portion

    monkeypatch.setattr(service, "_portions", counted)
    report = annotate_file(asked, tmp_path / "in.txt", tmp_path / "out.jsonl")
    assert (report.n_lines, report.n_blank, report.n_truncated) == (2001, 2000, 1)
    assert "1 were too long to be read whole" in report.summary
    assert report.n_unknown == 0
    assert max(portions) <= 256


def test_unknown_pieces_are_counted_by_line(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    (tmp_path / "in.txt").write_text("the cat\n\n😍 cat 😍\n", encoding="utf-8")
    report = annotate_file(ModelService(Settings(checkpoint=str(tiny()))), tmp_path / "in.txt", tmp_path / "out")
    records = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    assert [record.get("n_unknown") for record in records] == [0, None, 2]
    assert report.n_unknown == 1
    assert "1 have word pieces that the model does not know" in report.summary


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_mark_says_the_encoding_and_lines_are_those_of_an_editor(
    tmp_path: Path, tiny: Callable[..., Path], encoding: str, end: str
) -> None:
    """U+2028 is a character of its line."""
    (tmp_path / "in.txt").write_bytes(f"the cat{end}{end}jöhn\u2028sat{end}".encode(encoding))
    report = annotate_file(ModelService(Settings(checkpoint=str(tiny()))), tmp_path / "in.txt", tmp_path / "out")
    records = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").split("\n") if line]
    assert [record["text"] for record in records] == ["the cat", "", "jöhn\u2028sat"]
    assert (report.n_lines, report.n_blank, report.n_problems) == (3, 1, 0)


def test_what_is_no_text_is_refused_before_anything_is_written(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    for content, words in (("the cat\n".encode("utf-16-le"), "like UTF-16 without a mark"), (b"PK\x03\x04", "a workbook")):
        (tmp_path / "in.txt").write_bytes(content)
        with pytest.raises(DataFileError, match=words):
            annotate_file(service, tmp_path / "in.txt", tmp_path / "out")
        assert not (tmp_path / "out").exists()
