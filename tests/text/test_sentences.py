from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdemo.text.sentences import split_sentences
from mtdemo.text.words import is_blank, strip_invisible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. Dr. Ada left!", ["It rains.", "Dr. Ada left!"]),
        ('J. K. Rowling paid $3.50.  He asked: "Why?"', ["J. K. Rowling paid $3.50.", 'He asked: "Why?"']),
        ("no end\nand a line\r\n\r\nMore. ", ["no end", "and a line", "More."]),
        ("今天天气很好。我们走吧！", ["今天天气很好。", "我们走吧！"]),
        ("One 😍. Two é́. Three", ["One 😍.", "Two é́.", "Three"]),
        ("", []),
        (" \n\u200b\n", []),
    ],
)
def test_sentences_of_a_text(text: str, expected: list[str]) -> None:
    assert [text[slice(*span)] for span in split_sentences(text)] == expected


pieces = st.sampled_from(
    ["Dr. ", "It rains. ", '"Why?" ', "\n", " ", "😍", "e.g. ", "3.5", "(a.b) ", "。", "\u200b", "\r\n", "\u2028"]
)


@given(st.lists(st.one_of(pieces, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_spans_are_places_in_the_whole_and_nothing_seen_is_lost(text: str) -> None:
    spans = split_sentences(text)
    sentences = [text[start:end] for start, end in spans]
    assert all(sentence and sentence == strip_invisible(sentence) for sentence in sentences)
    assert all(len(sentence.splitlines()) == 1 for sentence in sentences)
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    for end, start in zip(ends, starts, strict=True):
        assert end <= start
        assert strip_invisible(text[end:start]) == "" or is_blank(text[end:start])


def test_a_long_text_is_split_whole() -> None:
    text = "The committee met on Jan. 5 in Washington D.C. and left. " * 2_000
    assert len(split_sentences(text)) == 2_000
