"""A small share of the fuzzing, so that the laws of reading hold in every run of the tests."""

import sys

import pytest

from benchmarks import fuzz_readers


def test_readers_give_rows_or_one_of_our_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz_readers", "--inputs", "400", "--seed", "1"])
    fuzz_readers.main()
    assert "400  inputs" in capsys.readouterr().out
