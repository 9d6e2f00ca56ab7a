from pathlib import Path

import pytest

from mtdemo.errors import DataFileError, FileWriteError
from mtdemo.files import first_line, reading, writing


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
