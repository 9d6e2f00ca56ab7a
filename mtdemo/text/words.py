"""Words of a text, by one definition for marked text, for columns and for the decoder.

A word is a run of letters, digits and underscores with everything that belongs to them: combining marks, vowel signs,
joiners, soft hyphens and other invisible characters. Every other visible character is a word of its own, with its marks:
`Zürich's` -> `Zürich`, `'`, `s`. A grapheme cluster is never torn, so composed and decomposed text have the same words.
Left out: dictionaries. A run of letters in a script without spaces, such as Thai, is one word here.
"""

from __future__ import annotations

import regex

_ONE = r"(?:\p{RI}\p{RI}|\X)"  # a cluster; flags by themselves, since \X counts them from the beginning, which is quadratic
# An alternative per kind: a run of letters or digits, any other cluster, and invisible characters that stand alone.
_WORD = regex.compile(rf"\p{{Cf}}*+(?:\w[\p{{M}}\p{{Cf}}]*+)++|\p{{Cf}}*+(?!\s){_ONE}[\p{{M}}\p{{Cf}}]*+|\p{{Cf}}++")
_UNSEEN = r"\s\p{Cf}\p{Default_Ignorable_Code_Point}\N{BRAILLE PATTERN BLANK}"
_BLANK = regex.compile(rf"[{_UNSEEN}]*+")
_EDGES = regex.compile(rf"\A[{_UNSEEN}\p{{Cc}}]++|(?<![{_UNSEEN}\p{{Cc}}])[{_UNSEEN}\p{{Cc}}]++\Z")
_CLUSTER = regex.compile(_ONE)
_READABLE = regex.compile(r"[\p{L}\p{N}]")
_UNSEEN_HERE = regex.compile(r"\p{Cf}")
_BESIDE = regex.compile(r"[\p{M}\p{Cf}]*+")
_JAMO = regex.compile(r"(?<=[\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff])[\u1160-\u11ff\ud7b0-\ud7ff]")  # not the first
_POSSESSIVE = regex.compile(r"(?<=[\w.]) ?['’]s$", regex.IGNORECASE)  # after a space in text that was split into tokens
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

    Initials keep their last point, also one right behind the stretch: `"U.S."` -> `U.S.`; `"Paris".` -> `Paris`.

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
    if text[last : last + 1] == ".":
        start_of_word = max(first.start(), text.rfind(" ", first.start(), last) + 1)
        initials = _INITIALS.match(text, start_of_word, last + 1)
        last = last + 1 if initials and initials.end() == last + 1 else last
    return first.start(), last


def trim_name(text: str, start: int, end: int) -> Span:
    """Narrow a stretch to the name that it holds.

    `"Ada's",` -> `Ada`.

    Returns:
        Start and end; equal where nothing is left.
    """
    start, end = trim(text, start, end)
    possessive = _POSSESSIVE.search(text, start, end)
    return trim(text, start, possessive.start()) if possessive else (start, end)


def with_invisible(text: str, start: int, end: int) -> Span:
    """Widen a stretch by the invisible characters beside it.

    So combining marks, marks of direction and a last soft hyphen are no words of their own.
    """
    while start and _UNSEEN_HERE.match(text, start - 1):
        start -= 1
    beside = _BESIDE.match(text, end)
    return start, beside.end() if beside else end


def tears_syllable(text: str, place: int) -> bool:
    """Tell if a place stands within a Hangul syllable."""
    return _JAMO.match(text, place) is not None
