from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdemo.models.loaded import LoadedModel
from mtdemo.text.entity_spans import TagScheme, decode_entities, type_words
from mtdemo.text.tokenization import Piece, encode_sentences
from mtdemo.text.words import is_readable

IO = TagScheme.from_labels(["O", "PER", "ORG"])
BIO = TagScheme.from_labels(["O", "B-PER", "I-PER", "B-ORG", "I-ORG"])


def rows(*labels: str, scheme: TagScheme = IO, peak: float = 0.9) -> np.ndarray:
    values = np.full((len(labels), len(scheme.labels)), (1 - peak) / (len(scheme.labels) - 1), dtype=np.float32)
    for row, label in enumerate(labels):
        values[row, scheme.labels.index(label)] = peak
    return values


def words(text: str) -> list[Piece]:
    pieces, start = [], 0
    for number, word in enumerate(text.split(" ")):
        pieces.append(Piece(start, start + len(word), number))
        start += len(word) + 1
    return pieces


def test_neighbours_of_one_type_are_one_span_with_the_mean_as_score() -> None:
    text = "Ada Lovelace met IBM"
    probabilities = rows("PER", "PER", "O", "ORG")
    probabilities[1] = [0.3, 0.5, 0.2]
    first, second = decode_entities(text, words(text), probabilities, IO)
    assert (first.text, first.label, first.start, first.end) == ("Ada Lovelace", "PER", 0, 12)
    assert first.score == pytest.approx((0.9 + 0.5) / 2)
    assert (second.text, second.label) == ("IBM", "ORG")


def test_the_worked_example_of_decode_entities() -> None:
    pieces = [Piece(0, 3, 0), Piece(4, 8, 1), Piece(8, 12, 1), Piece(13, 18, 2)]
    probabilities = np.array([[0.1, 0.9, 0], [0.1, 0.9, 0], [0.6, 0.4, 0], [1, 0, 0]], dtype=np.float32)
    (found,) = decode_entities("Ada Lovelace wrote", pieces, probabilities, IO)
    assert (found.text, found.label, found.start, found.end) == ("Ada Lovelace", "PER", 0, 12)
    assert found.score == pytest.approx((0.9 + 0.65) / 2)


def test_different_types_that_touch_are_two_spans() -> None:
    text = "Ada IBM"
    assert [e.label for e in decode_entities(text, words(text), rows("PER", "ORG"), IO)] == ["PER", "ORG"]


def test_a_cost_of_changing_type_keeps_a_name_whole() -> None:
    text = "United Nations summit"
    probabilities = np.array([[0.1, 0.4, 0.5], [0.1, 0.6, 0.3], [0.9, 0.05, 0.05]], dtype=np.float32)
    apart = decode_entities(text, words(text), probabilities, IO)
    assert [(e.text, e.label) for e in apart] == [("United", "ORG"), ("Nations", "PER")]
    (whole,) = decode_entities(text, words(text), probabilities, replace(IO, type_change_cost=1.0))
    assert (whole.text, whole.label) == ("United Nations", "PER")
    assert whole.score == pytest.approx((0.4 + 0.6) / 2)
    (handle,) = decode_entities("@un Nations", words("@un Nations"), probabilities[:2], replace(IO, type_change_cost=9.0))
    assert handle.text == "Nations"


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.5, 2.0, 30.0]),
)
def test_types_of_words_have_the_best_sum_of_all(values: list[list[float]], cost: float) -> None:
    probabilities = np.array(values, dtype=np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    text = " ".join("abcdef"[: len(values)])
    found = [w.type for w in type_words(text, words(text), probabilities, replace(IO, type_change_cost=cost))]

    def worth(types: tuple[int, ...]) -> float:
        logs = sum(np.log(row[kind]) for row, kind in zip(probabilities.astype(float), types, strict=True))
        return float(logs) - cost * sum(one != other and one != 0 != other for one, other in pairwise(types))

    best = max(worth(types) for types in product(range(3), repeat=len(values)))
    assert worth(tuple(found)) == pytest.approx(best, abs=1e-6)


def test_with_bio_a_new_beginning_ends_the_span_and_with_io_it_cannot() -> None:
    text = "Ada Grace Hopper"
    found = decode_entities(text, words(text), rows("B-PER", "B-PER", "I-PER", scheme=BIO), BIO)
    assert [e.text for e in found] == ["Ada", "Grace Hopper"]
    assert [e.text for e in decode_entities(text, words(text), rows("PER", "PER", "PER"), IO)] == [text]


def test_an_inside_without_a_beginning_is_a_span_too() -> None:
    assert len(decode_entities("Ada", words("Ada"), rows("I-PER", scheme=BIO), BIO)) == 1


def test_begin_and_inside_share_the_probability_of_their_type() -> None:
    probabilities = np.array([[0.4, 0.3, 0.3, 0.0, 0.0]], dtype=np.float32)
    (entity,) = decode_entities("Ada", words("Ada"), probabilities, BIO)
    assert entity.label == "PER"
    assert entity.score == pytest.approx(0.6)


def test_a_word_is_never_cut_between_its_pieces() -> None:
    pieces = [Piece(0, 3, 0), Piece(3, 8, 0), Piece(9, 12, 1)]
    probabilities = rows("PER", "O", "O", peak=0.95)
    probabilities[1] = [0.55, 0.4, 0.05]
    (entity,) = decode_entities("Lovelace met", pieces, probabilities, IO)
    assert entity.text == "Lovelace"
    assert entity.score == pytest.approx((0.95 + 0.4) / 2)


def test_accents_and_joiners_stay_with_their_letter() -> None:
    text = "Jose\N{COMBINING ACUTE ACCENT} ok"
    (entity,) = decode_entities(text, [Piece(0, 4, 0), Piece(6, 8, 1)], rows("PER", "O"), IO)
    assert entity.text == "Jose\N{COMBINING ACUTE ACCENT}"


def test_a_mark_that_is_a_word_of_its_own_is_not_given_twice() -> None:
    text = "Jose\N{COMBINING ACUTE ACCENT}"
    entities = decode_entities(text, [Piece(0, 4, 0), Piece(4, 5, 1)], rows("PER", "ORG"), IO)
    assert [entity.text for entity in entities] == [text]


def test_nothing_gives_nothing() -> None:
    assert decode_entities("", [], np.zeros((0, 3), dtype=np.float32), IO) == ()
    assert decode_entities("a b", words("a b"), rows("O", "O"), IO) == ()


SENTENCES = [  # text, pieces and the tokenizer's word of each, as SentencePiece and byte-level tokenizers give them
    ("to Paris.", [(0, 2, 0), (2, 8, 1), (8, 9, 1)], "Paris"),
    ("to Paris.", [(0, 2, 0), (3, 6, 1), (6, 9, 1)], "Paris"),
    ('to "Paris".', [(0, 2, 0), (3, 4, 1), (4, 9, 1), (9, 11, 1)], "Paris"),
    ("to Zu\u0308rich", [(0, 2, 0), (2, 5, 1), (5, 6, 2), (6, 10, 3)], "Zu\u0308rich"),
    ("to Rio's", [(0, 2, 0), (2, 6, 1), (6, 8, 2)], "Rio"),
    ("to #Oslo 🎉", [(0, 2, 0), (3, 4, 1), (4, 8, 2), (9, 10, 3)], "Oslo"),
    ("in U.S.", [(0, 2, 0), (3, 4, 1), (4, 5, 2), (5, 6, 3), (6, 7, 4)], "U.S."),
]


@pytest.mark.parametrize(("text", "offsets", "name"), SENTENCES)
def test_a_name_has_letters_at_its_edges_whatever_the_tokenizer_calls_a_word(
    text: str, offsets: list[tuple[int, int, int]], name: str
) -> None:
    pieces = [Piece(*offset) for offset in offsets]
    (entity,) = decode_entities(text, pieces, rows("O", *["PER"] * (len(pieces) - 1)), IO)
    assert (entity.text, entity.score) == (name, pytest.approx(0.9))
    assert text[entity.start : entity.end] == name


@pytest.mark.parametrize("text", ["...", "🎉 🎉", "@ada", "https://ada.org", "ada@lovelace.org", "' s"])
def test_addresses_handles_and_signs_are_no_names(embedded: LoadedModel, text: str) -> None:
    (sentence,) = encode_sentences(embedded.tokenizer, [text], 16)
    found = decode_entities(text, sentence.pieces, rows(*["PER"] * len(sentence.pieces)), IO)
    assert [entity.text for entity in found] == ([] if text != "' s" else ["s"])


def test_a_handle_parts_two_names() -> None:
    text = "Ada @bob IBM"
    found = decode_entities(text, [Piece(0, 3, 0), Piece(4, 5, 1), Piece(5, 8, 2), Piece(9, 12, 3)], rows(*["PER"] * 4), IO)
    assert [entity.text for entity in found] == ["Ada", "IBM"]


def test_pieces_are_the_words_of_a_script_without_spaces() -> None:
    """SentencePiece calls all of it one word, which would make it all one name or none."""
    text = "我在北京工作"
    (entity,) = decode_entities(text, [Piece(0, 2, 0), Piece(2, 4, 0), Piece(4, 6, 0)], rows("O", "PER", "O"), IO)
    assert entity.text == "北京"


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=120), st.randoms(use_true_random=False))
def test_offsets_round_trip_on_any_text(embedded: LoadedModel, text: str, draw: object) -> None:
    (sentence,) = encode_sentences(embedded.tokenizer, [text], 16)
    generator = np.random.default_rng(draw.randint(0, 2**32))  # type: ignore[attr-defined]
    probabilities = generator.dirichlet(np.full(5, 0.2), size=len(sentence.pieces)).astype(np.float32)
    entities = decode_entities(text, sentence.pieces, probabilities, embedded.scheme)
    position = 0
    for entity in entities:
        assert text[entity.start : entity.end] == entity.text != ""
        assert entity.text == entity.text.strip() and is_readable(entity.text[0])
        assert entity.start >= position, "spans are in order and never overlap"
        assert 0 < entity.score <= 1 + 1e-6
        position = entity.end
