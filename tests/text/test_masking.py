from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.models.checkpoints import load_directory
from mtdemo.text.masking import cut_words, hide_words, list_words
from mtdemo.text.tokenization import encode_sentences
from tests.conftest import make_tokenizer

CLS, SEP, MASK, UNKNOWN = 2, 3, 4, 1


def test_a_hidden_word_is_masked_piece_by_piece_or_removed() -> None:
    (sentence,) = encode_sentences(make_tokenizer(), ["the cats sat."], 16)
    words = list_words(sentence)
    assert [(word.text, word.start, word.end, word.pieces) for word in words] == [
        ("the", 0, 3, (0,)), ("cats", 4, 8, (1, 2)), ("sat", 9, 12, (3,)), (".", 12, 13, (4,)),
    ]  # fmt: skip
    whole = sentence.windows[0].input_ids
    masked, removed = (hide_words(sentence, words, {1}, mask_id) for mask_id in (MASK, None))
    assert masked.windows[0].input_ids == (*whole[:2], MASK, MASK, *whole[4:])
    assert masked.pieces == sentence.pieces
    assert removed.windows[0].input_ids == (*whole[:2], *whole[4:])
    assert [piece.start for piece in removed.pieces] == [0, 9, 12], "places are those of the whole"
    assert removed.windows[0].content == slice(1, 4)
    assert hide_words(sentence, words, (), MASK) is sentence
    nothing = hide_words(sentence, words, range(4), None)
    assert nothing.windows[0].input_ids == (CLS, SEP)


def test_a_word_is_hidden_in_every_window_that_has_it() -> None:
    (sentence,) = encode_sentences(make_tokenizer(), ["the cat sat on mat " * 4], 10)
    words = list_words(sentence)
    assert len(sentence.windows) > 2
    place = sentence.windows[1].first_piece
    masked, removed = (hide_words(sentence, words, {place}, mask_id) for mask_id in (MASK, None))
    assert [window.input_ids.count(MASK) for window in masked.windows[:3]] == [1, 1, 0]
    shorter = [
        len(whole.input_ids) - len(part.input_ids) for whole, part in zip(sentence.windows, removed.windows, strict=True)
    ]
    assert shorter[:3] == [1, 1, 0]
    for window in removed.windows:
        last = window.first_piece + window.n_pieces
        assert last <= len(removed.pieces)


def test_the_case_of_a_hidden_word_is_hidden_and_a_prompt_stays() -> None:
    (sentence,) = encode_sentences(make_tokenizer(), ["the Cat sat"], 16, casing=True, prompt="paris ")
    words = list_words(sentence)
    hidden = hide_words(sentence, words, {1}, MASK).windows[0]
    assert sentence.windows[0].token_type_ids == (0, 0, 0, 1, 0, 0)
    assert hidden.token_type_ids == (0,) * 6
    assert hidden.input_ids[3] == MASK and hidden.input_ids[:3] == sentence.windows[0].input_ids[:3]
    removed = hide_words(sentence, words, {0}, None).windows[0]
    assert removed.input_ids[1] == sentence.windows[0].input_ids[1], "the prompt stays"


@pytest.mark.parametrize(
    ("text", "n_words", "n_characters", "expected"),
    [
        ("One two three.", 2, 99, ("One two", 2)),
        ("One two three.", 4, 99, ("One two three.", 0)),
        ("One two three.", 9, 8, ("One two", 2)),
        ("x" * 50, 9, 8, ("x" * 8, 1)),
        ("今天天气很好", 4, 99, ("今天天气", 2)),
        ("", 4, 9, ("", 0)),
    ],
)
def test_a_long_text_is_cut_and_what_is_left_out_is_counted(
    text: str, n_words: int, n_characters: int, expected: tuple[str, int]
) -> None:
    assert cut_words(text, n_words, n_characters) == expected


def test_words_are_those_of_the_decoder(tiny: Callable[..., Path]) -> None:
    loaded = load_directory(tiny())
    for text in ("john's cat.", "  the   mat ", "a\x00b", "今天 cat"):
        (sentence,) = loaded.encode([text], 32)
        for word in list_words(sentence):
            assert text[word.start : word.end] == word.text
