"""Sentences of a text, with their places in it.

The library knows abbreviations, initials, quotations and scripts without spaces.
"""

from __future__ import annotations

from mtdemo.text.words import Span, strip_invisible

LANGUAGE = "en"


def split_sentences(text: str) -> list[Span]:
    """Find the sentences of a text.

    `"It rains. Dr. Ada left!"` -> `[(0, 9), (10, 23)]`. A line break always ends a sentence.

    Args:
        text: without lone surrogates.

    Returns:
        Start and end (exclusive) of each, in order, without what cannot be seen at both ends: between two sentences there
        are only such characters, and none holds a line break.
    """
    from sentencex import segment

    spans: list[Span] = []
    end = 0
    for line in text.splitlines():
        for piece in segment(LANGUAGE, line):
            sentence = strip_invisible(piece)
            if sentence:
                start = text.index(sentence, end)
                end = start + len(sentence)
                spans.append((start, end))
    return spans
