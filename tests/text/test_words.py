"""Words are the same whatever a text's normal form, and never cut through a letter with its marks."""

import time
import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from mtdemo.text.words import is_readable, nameless_spans, trim, trim_name, word_spans


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zürich's un[American]", ["Zürich", "'", "s", "un", "[", "American", "]"]),
        ("Pa\N{SOFT HYPHEN}ris Pa\N{WORD JOINER}ris", ["Pa\N{SOFT HYPHEN}ris", "Pa\N{WORD JOINER}ris"]),
        ("👩\u200d👩\u200d👧 1\ufe0f\u20e3 🇩🇪🇫🇷", ["👩\u200d👩\u200d👧", "1\ufe0f\u20e3", "🇩🇪", "🇫🇷"]),
        ("दिल्ली क्\u200dष நிலா", ["दिल्ली", "क्\u200dष", "நிலா"]),
        ("a\u2028b", ["a", "b"]),
        ("", []),
    ],
)
def test_letters_keep_what_belongs_to_them(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("text", ["Zürich, Ærø & Đà Nẵng", "김연아 서울", "İzmir Ångström", "Łódź"])
def test_composed_and_decomposed_text_have_the_same_words(text: str) -> None:
    composed, decomposed = (words(unicodedata.normalize(form, text)) for form in ("NFC", "NFD"))
    assert [unicodedata.normalize("NFC", word) for word in decomposed] == composed


@given(st.text())
@example("\N{WORD JOINER} x\N{WORD JOINER}")
def test_no_visible_character_is_lost_and_no_cluster_is_torn(text: str) -> None:
    spans = word_spans(text)
    assert all(start < end for start, end in spans) and spans == sorted(spans)
    outside = list(text)
    for start, end in spans:
        outside[start:end] = [" "] * (end - start)
    assert not "".join(outside).strip()
    edges = {edge for span in spans for edge in span}
    for match in regex.finditer(r"\X", text):
        if not match.group().isspace() and match.group().strip() == match.group():
            assert not edges & set(range(match.start() + 1, match.end()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [('"Paris".', "Paris"), ("the U.S.", "the U.S."), ("(U.S.)", "U.S."), ("Inc.", "Inc"), ("#Oslo!", "Oslo"), ("…", "")],
)
def test_edges_are_letters_or_digits_but_for_initials(text: str, expected: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == expected


def test_marks_of_the_last_letter_are_kept() -> None:
    text = "Jose\N{COMBINING ACUTE ACCENT}, 1\ufe0f\u20e3!"
    assert text[slice(*trim(text, 0, 6))] == "Jose\N{COMBINING ACUTE ACCENT}"
    assert text[slice(*trim(text, 7, 11))] == "1\ufe0f\u20e3"
    assert not is_readable("…🎉")


def test_addresses_and_handles_are_no_names() -> None:
    text = "@bob wrote to a.b@c.org of https://x.org/a-b and www.y.de, not a@b"
    found = [text[start:end] for start, end in nameless_spans(text)]
    assert found == [
        "@bob",
        "a.b@c.org",
        "https://x.org/a-b",
        "www.y.de,",
    ]


@pytest.mark.parametrize(
    "unit", ["\N{WORD JOINER}", "a", "\u0301", "a.b+", "@", "\N{WORD JOINER} ", "a.", "http://", "\U0001f1e9\U0001f1ea"]
)
def test_words_take_linear_time(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    start = time.perf_counter()
    word_spans(text)
    nameless_spans(text)
    trim(text, 0, len(text))
    assert time.perf_counter() - start < 5, "a quadratic pattern takes minutes"


@pytest.mark.parametrize(
    ("text", "end", "expected"), [("the U.S.", 7, "the U.S."), ("in Oslo.", 7, "in Oslo"), ("U.S.'s", 6, "U.S.")]
)
def test_initials_keep_a_point_that_a_model_left_out(text: str, end: int, expected: str) -> None:
    start, end = trim_name(text, 0, end)
    assert text[start:end] == expected
