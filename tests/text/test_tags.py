import pytest

from mtdemo.text.tags import entity_type


@pytest.mark.parametrize(
    ("label", "expected"), [("O", "O"), ("PER", "PER"), ("B-PER", "PER"), ("I-PER", "PER"), ("B", "B")]
)
def test_types_are_labels_without_prefix(label: str, expected: str) -> None:
    assert entity_type(label) == expected
