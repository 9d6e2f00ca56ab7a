"""Variants of a sentence that mean the same to a reader, and one that means the opposite. Pure text.

Typographic variants and typos in the manner of Ribeiro et al. 2020, CheckList (https://arxiv.org/abs/2005.04118).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import regex

NEGATION = "negation"
_MAX_TYPO_WORDS = 5
_MIN_TYPO_LETTERS = 4

# Both directions are tried, whole words only. Each pair can stand for the other in nearly every sentence.
_CONTRACTIONS = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("is not", "isn't"), ("are not", "aren't"),
    ("was not", "wasn't"), ("were not", "weren't"), ("cannot", "can't"), ("could not", "couldn't"), ("will not", "won't"),
    ("would not", "wouldn't"), ("should not", "shouldn't"), ("has not", "hasn't"), ("have not", "haven't"),
    ("had not", "hadn't"), ("it is", "it's"), ("that is", "that's"), ("there is", "there's"), ("i am", "i'm"),
    ("you are", "you're"), ("we are", "we're"), ("they are", "they're"), ("i have", "i've"), ("we have", "we've"),
    ("i will", "i'll"), ("we will", "we'll"), ("they will", "they'll"),
)  # fmt: skip
_SYNONYMS = (
    ("big", "large"), ("begin", "start"), ("began", "started"), ("buy", "purchase"), ("bought", "purchased"),
    ("movie", "film"), ("firm", "company"), ("job", "position"), ("car", "automobile"), ("quick", "fast"),
    ("rude", "impolite"), ("terrible", "awful"), ("wonderful", "marvellous"), ("great", "excellent"), ("happy", "glad"),
    ("sad", "unhappy"), ("need", "require"), ("very", "really"), ("also", "too"), ("nearly", "almost"),
    ("city", "town"), ("street", "road"), ("doctor", "physician"), ("kids", "children"), ("phone", "telephone"),
    ("picture", "image"), ("gift", "present"), ("ill", "sick"), ("shop", "store"), ("talk", "speak"),
)  # fmt: skip
_SPELLINGS = (
    ("color", "colour"), ("center", "centre"), ("theater", "theatre"), ("favorite", "favourite"), ("gray", "grey"),
    ("organize", "organise"), ("realize", "realise"), ("traveling", "travelling"), ("program", "programme"),
)  # fmt: skip
_AUXILIARY = regex.compile(
    r"\b(?:is|are|was|were|am|can|could|will|would|should|must|may|might)\b(?!\s*(?:not\b|n['’]t))", regex.IGNORECASE
)
_NEGATED = regex.compile(r"\b(\w+?)(?:\s+not\b|n['’]t\b)", regex.IGNORECASE)
_FUNCTION_WORDS = {
    "a", "an", "the", "he", "she", "it", "we", "they", "you", "this", "that", "these", "those", "there", "my", "our",
    "his", "her", "its", "their", "your",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """A version of a sentence.

    Attributes:
        kind: of the change, such as `typo`.
        note: the change in words.
        text: the whole sentence with it.
    """

    kind: str
    note: str
    text: str


def harmless_variants(text: str) -> list[Variant]:
    """Make versions that mean the same to a reader.

    Returns:
        Different texts, none of them the given one; in a fixed order.
    """
    found: dict[str, Variant] = {}
    for kind, make in _KINDS:
        for note, version in make(text):
            if version != text and version.strip():
                found.setdefault(version, Variant(kind, note, version))
    return list(found.values())


def negate(text: str) -> Variant | None:
    """Make a version that means the opposite.

    A question has none.

    `It is cold. -> It is not cold.`, `It isn't cold. -> It is cold.`, `We left. -> It is not true that we left.`
    """
    if text.rstrip().endswith("?"):
        return None
    negated = _NEGATED.search(text)
    if negated:
        verb = {"ca": "can", "wo": "will"}.get(negated[1].lower(), negated[1])
        return Variant(NEGATION, "no longer negated", text[: negated.start()] + verb + text[negated.end() :])
    auxiliary = _AUXILIARY.search(text)
    if auxiliary:
        verb = auxiliary[0]
        return Variant(NEGATION, f"{verb} not", f"{text[: auxiliary.end()]} not{text[auxiliary.end() :]}")
    first = text.split(" ", maxsplit=1)[0]
    rest = text[:1].lower() + text[1:] if first.lower() in _FUNCTION_WORDS else text
    return Variant(NEGATION, "it is not true that …", f"It is not true that {rest}")


def _letter_case(text: str) -> Iterator[tuple[str, str]]:
    yield "all lower case", text.lower()
    yield "all upper case", text.upper()
    yield "every word capital", " ".join(word[:1].upper() + word[1:] for word in text.split(" "))
    yield "first letter small", text[:1].lower() + text[1:]
    yield "first letter capital", text[:1].upper() + text[1:]


def _punctuation(text: str) -> Iterator[tuple[str, str]]:
    bare = text.rstrip()
    if bare.endswith((".", "!", "?")):
        yield "no mark at the end", bare[:-1]
    else:
        yield "a full stop at the end", f"{bare}."
    if bare.endswith("."):
        yield "two full stops", f"{bare}."
    if "'" in text:
        yield "curly apostrophe", text.replace("'", "’")
    if ", " in text:
        yield "no commas", text.replace(", ", " ")
    yield "in quotation marks", f'"{text}"'


def _white_space(text: str) -> Iterator[tuple[str, str]]:
    yield "double spaces", text.replace(" ", "  ")
    yield "a space before it", f" {text}"
    yield "a space after it", f"{text} "
    yield "a line break in place of the first space", text.replace(" ", "\n", 1)


def _typos(text: str) -> Iterator[tuple[str, str]]:
    """Mistype the longest words in three ways, names left alone."""
    words = [match for match in regex.finditer(r"\b[a-z]+\b", text) if len(match[0]) >= _MIN_TYPO_LETTERS]
    for match in sorted(words, key=lambda match: -len(match[0]))[:_MAX_TYPO_WORDS]:
        word, middle = match[0], len(match[0]) // 2
        for mistyped in (
            word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
            word[:middle] + word[middle + 1 :],
            word[: middle + 1] + word[middle] + word[middle + 1 :],
        ):
            yield f"{word} → {mistyped}", text[: match.start()] + mistyped + text[match.end() :]


def _pairs(pairs: tuple[tuple[str, str], ...]) -> Callable[[str], Iterator[tuple[str, str]]]:
    """Make a change that swaps words of pairs."""

    def change(text: str) -> Iterator[tuple[str, str]]:
        for pair in pairs:
            for old, new in (pair, pair[::-1]):
                for match in regex.finditer(rf"\b{regex.escape(old)}\b", text, regex.IGNORECASE):
                    put = new[:1].upper() + new[1:] if match[0][:1].isupper() else new
                    yield f"{match[0]} → {put}", text[: match.start()] + put + text[match.end() :]

    return change


_KINDS: tuple[tuple[str, Callable[[str], Iterator[tuple[str, str]]]], ...] = (
    ("letter case", _letter_case),
    ("punctuation", _punctuation),
    ("white space", _white_space),
    ("typo", _typos),
    ("contraction", _pairs(_CONTRACTIONS)),
    ("synonym", _pairs(_SYNONYMS)),
    ("spelling", _pairs(_SPELLINGS)),
)
