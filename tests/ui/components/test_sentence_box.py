from pathlib import Path

import gradio as gr
import pytest

from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.sentence_box import read_lines
from mtdemo.ui.tabs.similarity import show_embeddings
from tests.ui.conftest import FakeService


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("a\n\n  b  \n", ["a", "b"]),
        ("a\r\nb\rc", ["a", "b", "c"]),
        ("a\u2028b", ["a\u2028b"]),
        ("x\ud800", ["x\ufffd"]),
    ],
)
def test_lines_are_sentences(typed: str, expected: list[str]) -> None:
    assert read_lines(typed) == expected


@pytest.mark.parametrize("typed", ["", "  \n\t\n", None])
def test_nothing_typed_says_what_to_do(fake: FakeService, tmp_path: Path, typed: str) -> None:
    with pytest.raises(gr.Error, match="Write one sentence per line"):
        show_embeddings(VectorService(fake), typed, None)
