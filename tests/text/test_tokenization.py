import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdemo.models.loaded import LoadedModel
from mtdemo.text.tokenization import (
    EncodedSentence,
    Piece,
    Window,
    encode_sentences,
    join_windows,
    replace_unreadable,
    word_case,
)

LENGTHS = (8, 9, 16, 128)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


def encode(loaded: LoadedModel, text: str, max_length: int = 128) -> EncodedSentence:
    (sentence,) = encode_sentences(loaded.tokenizer, [text], max_length)
    return sentence


@settings(deadline=None, max_examples=60)
@given(TEXT, st.sampled_from(LENGTHS))
def test_windows_cover_the_untruncated_tokenisation_once(embedded: LoadedModel, text: str, max_length: int) -> None:
    sentence = encode(embedded, text, max_length)
    backend = embedded.tokenizer.backend_tokenizer
    backend.no_truncation()
    whole = backend.encode(text)
    assert sentence.n_tokens == len(whole.ids)
    assert [(p.start, p.end) for p in sentence.pieces] == whole.offsets[1:-1]
    assert sentence.windows[0].input_ids[1:-1] == tuple(whole.ids[1 : 1 + sentence.windows[0].n_pieces])
    covered = {w.first_piece + i for w in sentence.windows for i in range(w.n_pieces)}
    assert covered == set(range(len(sentence.pieces)))
    for window in sentence.windows:
        assert len(window.input_ids) <= max_length
        at = slice(window.first_piece, window.first_piece + window.n_pieces)
        assert window.input_ids[window.content] == tuple(whole.ids[1:-1][at])


@pytest.mark.parametrize("max_length", LENGTHS)
def test_truncation_is_counted(embedded: LoadedModel, max_length: int) -> None:
    sentence = encode(embedded, "word " * 300, max_length)
    assert sentence.n_tokens == 302
    assert sentence.n_truncated == 302 - max_length
    assert encode(embedded, "word", max_length).n_truncated == 0


@pytest.mark.parametrize("max_length", LENGTHS)
@pytest.mark.parametrize(
    ("text", "n_unknown"),
    [("I love it.", 0), ("I love it ᚠ", 1), ("今天天气很好。", 4), ("ᚠ " * 40, 40), ("[UNK]", 1), ("\x00", 0)],
)
def test_unknown_pieces_are_counted_once_over_all_windows(
    embedded: LoadedModel, text: str, n_unknown: int, max_length: int
) -> None:
    assert encode(embedded, text, max_length).n_unknown == n_unknown


def test_the_first_window_is_what_plain_truncation_gives(embedded: LoadedModel, sentences: list[str]) -> None:
    plain = embedded.tokenizer(sentences, truncation=True, max_length=16)["input_ids"]
    encoded = encode_sentences(embedded.tokenizer, sentences, 16)
    assert [list(sentence.windows[0].input_ids) for sentence in encoded] == plain


def test_joined_windows_take_each_piece_from_where_it_stands_deepest(embedded: LoadedModel) -> None:
    sentence = encode(embedded, "word " * 40, 16)
    values = [np.full((w.n_pieces, 1), number, dtype=np.float32) for number, w in enumerate(sentence.windows)]
    joined = join_windows(sentence, values)[:, 0]
    assert (np.diff(joined) >= 0).all()
    assert set(joined) == set(range(len(sentence.windows)))
    for number, window in enumerate(sentence.windows[1:], start=1):
        assert joined[window.first_piece] == number - 1, "the first piece of a window stands at its edge"


def test_text_without_readable_characters_has_one_window_of_special_pieces(embedded: LoadedModel) -> None:
    sentence = encode(embedded, "\x00\x00")
    assert sentence.pieces == ()
    assert sentence.n_tokens == 2
    assert join_windows(sentence, [np.zeros((0, 5), dtype=np.float32)]).shape == (0, 5)


@pytest.mark.parametrize(
    ("word", "case"),
    [
        ("cat", 0),
        ("Cat", 1),
        ("CAT", 2),
        ("iPhone", 3),
        ("McDonald", 3),
        ("A", 1),
        ("42", 0),
        ("!", 0),
        ("東京", 0),
        ("B2B", 2),
    ],
)
def test_words_have_a_case(word: str, case: int) -> None:
    assert word_case(word) == case


def test_every_piece_carries_the_case_of_its_word_in_every_window(embedded: LoadedModel) -> None:
    text = "the Wolpertinger at NATO saw an iPhone " * 5
    plain = encode_sentences(embedded.tokenizer, [text], 16)[0]
    cased = encode_sentences(embedded.tokenizer, [text], 16, casing=True)[0]
    assert [w.input_ids for w in cased.windows] == [w.input_ids for w in plain.windows]
    of_word = {"the": 0, "wolpertinger": 1, "at": 0, "nato": 2, "saw": 0, "an": 0, "iphone": 3}
    for window in cased.windows:
        assert window.token_type_ids[0] == window.token_type_ids[-1] == 0
        for row, case in enumerate(window.token_type_ids[window.content]):
            piece = cased.pieces[window.first_piece + row]
            word = [p for p in cased.pieces if p.word == piece.word]
            assert case == of_word[text[word[0].start : word[-1].end].lower()]


def test_no_sentences_give_nothing(embedded: LoadedModel) -> None:
    assert encode_sentences(embedded.tokenizer, [], 128) == ()


def test_lone_surrogates_are_replaced_one_for_one() -> None:
    assert replace_unreadable("a\ud800b😀\udfffc") == "a\N{REPLACEMENT CHARACTER}b😀\N{REPLACEMENT CHARACTER}c"


def test_the_worked_example_of_join_windows() -> None:
    pieces = tuple(Piece(n, n + 1, n) for n in range(8))
    windows = tuple(Window((0,) * 6, (0,) * 6, slice(0, 6), first) for first in (0, 2))
    taken_from = join_windows(
        EncodedSentence("abcdefgh", pieces, windows, 0, 0), [np.full((6, 1), n, np.float32) for n in (1, 2)]
    )
    assert taken_from[:, 0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_the_worked_example_of_overlapping_encodings(embedded: LoadedModel) -> None:
    sentence = encode(
        embedded, "a b c d e f g h i j k l m n", 10
    )  # eight pieces beside the two special ones, a quarter shared
    assert [window.first_piece for window in sentence.windows] == [0, 6]
    assert [window.n_pieces for window in sentence.windows] == [8, 8]
    assert [(piece.start, piece.word) for piece in sentence.pieces] == [(2 * n, n) for n in range(14)]
