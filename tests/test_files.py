import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtdemo.errors import DataFileError, FileWriteError
from mtdemo.files import first_line, make_room, open_lines, part_file, reading, writing


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"^my\.csv cannot be read: No such file or directory\.$"), reading("my.csv"):
        (tmp_path / "nothing").open()


def test_a_file_that_cannot_be_written_is_named_with_reason_and_hint(tmp_path: Path) -> None:
    with pytest.raises(FileWriteError) as caught, writing(tmp_path, "The old one is good."):
        tmp_path.write_text("a directory")
    assert str(caught.value) == f"{tmp_path} could not be written: Is a directory. The old one is good."


def test_other_errors_are_bugs_and_pass() -> None:
    with pytest.raises(ZeroDivisionError), writing(Path("x")):
        _ = 1 / 0


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n one\n"), "one"),
        (ValueError(), "ValueError"),
        (FileNotFoundError(2, "No such file", "/secret/place"), "No such file"),
    ],
)
def test_the_first_line_says_the_reason(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_room_is_made_by_the_oldest_and_no_more_than_needed(tmp_path: Path) -> None:
    for age, name in enumerate(("new/a", "mid/a", "mid/b", "old/a")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1_000 - age, 1_000 - age))

    def left() -> set[str]:
        return {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}

    make_room(tmp_path, 100, 500)
    assert left() == {"new/a", "mid/a", "mid/b", "old/a"}
    make_room(tmp_path, 101, 500)
    assert left() == {"new/a", "mid/a", "mid/b"}
    assert not (tmp_path / "old").exists(), "an empty folder leaves, too"
    make_room(tmp_path, 300, 500)
    assert left() == {"new/a", "mid/a"}
    make_room(tmp_path, 501, 500)
    assert left() == set()
    make_room(tmp_path / "nowhere", 1, 1)


pieces = st.sampled_from(["a", "é", "東", "👩", " ", "\n", "\r", "\r\n", "\u2028", "\n\n"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
@given(text=st.lists(pieces, max_size=30).map("".join), n_lines=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_the_parts_of_a_file_are_its_lines_in_order(tmp_path: Path, encoding: str, text: str, n_lines: int) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(text.encode(encoding, errors="replace"))
    with open_lines(file) as lines:
        whole = list(lines)
    parts = list(part_file(file, n_lines))
    found = []
    for part in parts:
        assert part.first == len(found) + 1
        with open_lines(file, part=part) as lines:
            its = list(lines)
        assert len(its) == part.n_lines
        found += its
    assert found == whole
    assert [part.n_lines for part in parts[:-1]] == [n_lines] * (len(parts) - 1)
