"""Batches in and out, with models written by hand: nothing here needs a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtdemo.inference.forward import run_windows
from mtdemo.inference.pipeline import analyze_batches, run_batches, to_analyses, windows_of
from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.results import ModelInfo
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import EncodedSentence, Piece, Window


class LettersModel:
    """Reads every letter as a word piece, four a window; a capital letter is a name, and no torch is needed."""

    info = ModelInfo("letters", "by hand", 0, 1, 0, 4, ("short", "long"), ("NAME",), ())
    scheme = TagScheme.from_labels(["O", "NAME"])

    def encode(self, texts: Sequence[str], max_length: int, prompt: str | None = None) -> tuple[EncodedSentence, ...]:
        return tuple(
            EncodedSentence(
                text,
                tuple(Piece(n, n + 1, n) for n in range(len(text))),
                tuple(
                    Window(tuple(map(ord, text[n : n + 4])), (0,) * len(text[n : n + 4]), slice(0, len(text[n : n + 4])), n)
                    for n in range(0, len(text), 4)
                ),
                0,
                0,
            )
            for text in texts
        )

    def run(self, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
        return tuple(
            WindowOutput(
                np.array([window.input_ids[0]], dtype=np.float32),
                np.array([0.25, 0.75], dtype=np.float32),
                np.array([[not chr(i).isupper(), chr(i).isupper()] for i in window.input_ids], dtype=np.float32),
            )
            for window in windows
        )


def test_a_model_of_another_library_answers() -> None:
    model: AnsweringModel = LettersModel()
    answers = analyze_batches(model, ["a B", "AB cd EF ghi"], 4)
    assert [answer.text for answer in answers] == ["a B", "AB cd EF ghi"]
    assert [[entity.text for entity in answer.entities] for answer in answers] == [["B"], ["AB", "EF"]]
    assert [answer.embedding.tolist() for answer in answers] == [[97.0], [65.0]]
    assert [answer.n_truncated for answer in answers] == [0, 8]
    assert answers[0].label == "long"


@given(st.lists(st.text("abC", min_size=1, max_size=9), max_size=8), st.integers(1, 30))
def test_batches_of_any_size_give_what_one_by_one_gives(texts: list[str], max_tokens: int) -> None:
    model = LettersModel()
    alone = [answer for text in texts for answer in analyze_batches(model, [text], 4)]
    assert analyze_batches(model, texts, 4, max_tokens) == alone


def test_batches_come_one_after_the_other_with_the_places_of_their_windows() -> None:
    model, asked = LettersModel(), list[int]()

    def run(loaded: AnsweringModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        asked.append(len(windows))
        return run_windows(loaded, windows, n_threads)

    encoded = model.encode(["abcd", "a", "abcde"], 4)  # windows of 4, 1, 4 and 1 letters
    batches = run_batches(model, windows_of(encoded), 4, 1, run)
    first = next(batches)
    assert (list(first), asked) == ([1, 3], [2]), "nothing is run before it is asked for"
    outputs = first | {index: output for batch in batches for index, output in batch.items()}
    assert asked == [2, 1, 1]
    assert to_analyses(model, encoded, outputs) == analyze_batches(model, ["abcd", "a", "abcde"], 4)


def test_nothing_asked_is_nothing_run() -> None:
    assert analyze_batches(LettersModel(), [], 4) == []
