"""Words of a text, by one definition for marked text, for columns and for the decoder.

A word is a run of letters, digits and underscores with everything that belongs to them: combining marks, vowel signs,
joiners, soft hyphens and other invisible characters. Every other visible character is a word of its own, with its marks:
`Zürich's` -> `Zürich`, `'`, `s`. A grapheme cluster is never torn, so composed and decomposed text have the same words.
Left out: dictionaries. A run of letters in a script without spaces, such as Thai, is one word here.
"""

from __future__ import annotations

import regex

# An alternative per kind: a run of letters or digits, any other cluster, and invisible characters that stand alone.
_WORD = regex.compile(r"\p{Cf}*+(?:\w[\p{M}\p{Cf}]*+)++|\p{Cf}*+(?!\s)\X[\p{M}\p{Cf}]*+|\p{Cf}++")
_BLANK = regex.compile(r"[\s\p{Cf}]*+")
_EDGES = regex.compile(r"\A[\s\p{Cc}\p{Cf}]++|(?<![\s\p{Cc}\p{Cf}])[\s\p{Cc}\p{Cf}]++\Z")
_CLUSTER = regex.compile(r"\X")
_READABLE = regex.compile(r"[\p{L}\p{N}]")
_MARKS = regex.compile(r"[\p{M}\N{ZERO WIDTH JOINER}]*+")
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]"
)
_INITIALS = regex.compile(r"(?<![\p{L}\p{N}])(?:\p{L}\p{M}*+\.){2,}+")
_NO_NAME = regex.compile(
    r"(?<!\w)(?:(?:https?|ftp)://|www\.)\S++"  # an address of the web
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]++"  # of mail
    r"|(?<!\w)@\w++",  # of a person, as social networks write it
    regex.IGNORECASE,
)

Span = tuple[int, int]


def word_spans(text: str) -> list[Span]:
    """Return start and end of each word, in order."""
    return [match.span() for match in _WORD.finditer(text)]


def nameless_spans(text: str) -> list[Span]:
    """Return where web addresses, mail addresses and @handles stand."""
    return [match.span() for match in _NO_NAME.finditer(text)]


def is_blank(text: str) -> bool:
    """Tell if nothing in a text can be seen."""
    return _BLANK.fullmatch(text) is not None


def strip_invisible(text: str) -> str:
    """Remove white space and other invisible characters at both ends."""
    return _EDGES.sub("", text)


def is_readable(text: str, start: int = 0, end: int | None = None) -> bool:
    """Tell if a stretch has a letter or digit."""
    return _READABLE.search(text, start, len(text) if end is None else end) is not None


def is_unspaced(character: str) -> bool:
    """Tell if a character belongs to a script without spaces."""
    return _UNSPACED.match(character) is not None


def cluster_starts(text: str, start: int, end: int) -> set[int]:
    """Return where the grapheme clusters of a stretch begin."""
    return {match.start() for match in _CLUSTER.finditer(text, start, end)}


def trim(text: str, start: int, end: int) -> Span:
    """Narrow a stretch to its outermost letters or digits.

    Marks of the last stay with it.

    Initials keep their last point: `the U.S., too` -> `the U.S., too`; `"Paris".` -> `Paris`.

    Returns:
        Start and end; equal where nothing is left.
    """
    first = _READABLE.search(text, start, end)
    if first is None:
        return start, start
    last = end
    while not _READABLE.match(text, last - 1):
        last -= 1
    marked = _MARKS.match(text, last)
    last = marked.end() if marked else last
    if text[last : last + 1] == "." and last < end:
        start_of_word = max(first.start(), text.rfind(" ", first.start(), last) + 1)
        initials = _INITIALS.match(text, start_of_word, last + 1)
        last = last + 1 if initials and initials.end() == last + 1 else last
    return first.start(), last
