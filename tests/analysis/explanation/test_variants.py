import numpy as np
import pytest

from mtdemo.analysis.explanation.swaps import PEOPLE, PLACES, swap_names
from mtdemo.analysis.explanation.variants import harmless_variants, negate
from mtdemo.results import Entity, SentenceAnalysis

SENTENCE = "I don't think the company's colour is great, but it is wonderful today."


def test_variants_are_a_few_dozen_all_different_and_the_same_each_time() -> None:
    variants = harmless_variants(SENTENCE)
    texts = [variant.text for variant in variants]
    assert 24 <= len(texts) == len(set(texts)) <= 60
    assert SENTENCE not in texts
    assert variants == harmless_variants(SENTENCE)
    assert {variant.kind for variant in variants} == {
        "letter case", "punctuation", "white space", "typo", "contraction", "synonym", "spelling",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("letter case", SENTENCE.lower()),
        ("punctuation", SENTENCE[:-1]),
        ("white space", SENTENCE.replace(" ", "  ")),
        ("contraction", SENTENCE.replace("don't", "do not")),
        ("contraction", SENTENCE.replace("it is", "it's")),
        ("synonym", SENTENCE.replace("great", "excellent")),
        ("spelling", SENTENCE.replace("colour", "color")),
        ("typo", SENTENCE.replace("wonderful", "wondrful")),
    ],
)
def test_each_kind_by_an_example(kind: str, expected: str) -> None:
    assert (kind, expected) in [(variant.kind, variant.text) for variant in harmless_variants(SENTENCE)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is cold.", "It is not cold."),
        ("It isn't cold.", "It is cold."),
        ("We did not leave.", "We did leave."),
        ("I can't go.", "I can go."),
        ("I won't go.", "I will go."),
        ("The cat sat.", "It is not true that the cat sat."),
        ("John sat.", "It is not true that John sat."),
    ],
)
def test_a_negation_means_the_opposite(text: str, expected: str) -> None:
    variant = negate(text)
    assert variant is not None and variant.text == expected
    assert negate("Is it cold?") is None


@pytest.mark.parametrize("text", ["a", "?", "今天", "x" * 300, "don't don't", " "])
def test_odd_texts_have_variants_or_none(text: str) -> None:
    assert all(variant.text != text for variant in harmless_variants(text))
    assert (negate(text) is None) == (text == "?")


def analysed(text: str, *entities: Entity) -> SentenceAnalysis:
    return SentenceAnalysis(text, 9, 0, 0, np.ones(2, dtype=np.float32), {"no": 0.5, "yes": 0.5}, entities)


def test_other_people_and_places_take_the_places_of_those_found() -> None:
    text = "Ada Bell left Rome. Ada Bell loves Rome."
    swaps = swap_names(
        analysed(
            text, Entity("Ada Bell", "PER", 0.9, 0, 8), Entity("Rome", "LOC", 0.9, 14, 18),
            Entity("Ada Bell", "PER", 0.9, 20, 28), Entity("Rome", "LOC", 0.9, 35, 39),
        )
    )  # fmt: skip
    assert swaps[0].text == "Emily Clark left Rome. Emily Clark loves Rome."
    assert swaps[-1].text == "Ada Bell left Kabul. Ada Bell loves Kabul."
    assert len(swaps) == sum(map(len, PEOPLE.values())) + sum(map(len, PLACES.values()))
    (first, *_) = swap_names(analysed("Ada left.", Entity("Ada", "PER", 0.9, 0, 3)))
    assert first.text == "Emily left.", "a single name is replaced by a first name"
    assert swap_names(analysed("It rains.")) == []
