import pytest

from mtdemo.errors import InputError
from mtdemo.text.matching import match_texts

TEXTS = ["The Cat sat.", "a dog", "catalogue (1)"]


@pytest.mark.parametrize(
    ("pattern", "is_regex", "expected"),
    [
        ("", False, [True, True, True]),
        ("CAT", False, [True, False, True]),
        ("(1)", False, [False, False, True]),
        (r"\bcat\b", True, [True, False, False]),
        ("", True, [True, True, True]),
    ],
)
def test_words_and_expressions(pattern: str, is_regex: bool, expected: list[bool]) -> None:
    assert match_texts(TEXTS, pattern, is_regex) == expected


def test_what_is_no_expression_or_too_long_says_so() -> None:
    with pytest.raises(InputError, match="no regular expression"):
        match_texts(TEXTS, "(", True)
    with pytest.raises(InputError, match="at most 200 characters, not 201"):
        match_texts(TEXTS, "x" * 201)


def test_an_expression_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.text.matching._MAX_SECONDS", 0.2)
    with pytest.raises(InputError, match="takes too long"):
        match_texts(["a" * 60 + "!"] * 500, r"^(a|aa|a?)+$", True)
