import random

import pytest

from mtdemo.text.tags import as_bio, entity_type, tag_spans


@pytest.mark.parametrize(
    ("label", "expected"), [("O", "O"), ("PER", "PER"), ("B-PER", "PER"), ("I-PER", "PER"), ("B", "B")]
)
def test_types_are_labels_without_prefix(label: str, expected: str) -> None:
    assert entity_type(label) == expected


SCHEMES = {"IO": "I", "IOB": "BI", "BIOES": "BIES", "BILOU": "BILU", "mixed": "BIESLU"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entities_are_those_of_seqeval_on_a_thousand_random_sequences(scheme: str) -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    draw = random.Random(scheme)
    choices = ["O", *(f"{prefix}-{name}" for prefix in SCHEMES[scheme] for name in ("PER", "LOC"))]
    for _ in range(1000):
        tags = draw.choices(choices, k=draw.randint(1, 14))
        known = [{"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]  # seqeval's default reads no BILOU
        expected = [(first, last, name) for name, first, last in get_entities(known)]
        assert tag_spans(tags) == expected, tags
        assert tag_spans(as_bio(tags)) == expected, "what becomes BIO marks the same"


def test_touching_entities_are_told_apart_where_tags_do() -> None:
    assert tag_spans(["B-PER", "B-PER", "O", "ORG", "I-LOC", "LOC"]) == [
        (0, 0, "PER"), (1, 1, "PER"), (3, 3, "ORG"), (4, 5, "LOC"),
    ]  # fmt: skip
    assert tag_spans([]) == []


def test_ends_and_singles_begin_a_new_entity() -> None:
    assert as_bio(["S-LOC", "E-PER", "I-PER", "PER"]) == ("B-LOC", "B-PER", "B-PER", "I-PER")
    assert as_bio(["I-PER", "I-PER", "PER"]) == ("I-PER", "I-PER", "PER"), "other schemes stay as they are"
