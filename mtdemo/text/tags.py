"""Entity tags: the type that a tag stands for, and the entities that a sequence of tags marks.

IO, IOB1, IOB2, BIOES, BILOU and BMEWO are read by one rule, that of conlleval and of seqeval's default mode
(https://github.com/chakki-works/seqeval): `B-PER I-PER`, `I-PER I-PER` and `B-PER E-PER` are the same entity. A tag without
a prefix is read as if it had `I-`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TagSpan = tuple[int, int, str]  # first token, last token, type
# BILOU says L and U for E and S, BMEWO says M, E and W for I, E and S.
_PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I", "W": "S"}
_BEFORE_TYPES = tuple(f"{prefix}-" for prefix in _PREFIXES)
_ENDS, _BEGINS = {"E", "S"}, {"B", "S"}


def entity_type(label: str) -> str:
    """Return the type that a label stands for."""
    return label[2:] if label[:2] in _BEFORE_TYPES else label


def begins_entity(label: str) -> bool:
    """Tell if a label begins an entity."""
    return label[:2] in ("B-", "S-", "U-", "W-")


def as_bio(tags: Iterable[str]) -> tuple[str, ...]:
    """Rewrite BIOES, BILOU or BMEWO tags as BIO; others stay.

    Worked example: `S-LOC E-PER I-PER` -> `B-LOC B-PER B-PER`, since an end is followed by another entity.
    """
    given = tuple(tags)
    if not any(tag[1:2] == "-" and tag[0] in _PREFIXES.keys() - {"B", "I"} for tag in given):
        return given
    rewritten = ["O"] * len(given)
    for first, last, name in tag_spans(given):
        rewritten[first : last + 1] = bio_run(name, last - first + 1)
    return tuple(rewritten)


def bio_run(name: str, n_tokens: int) -> list[str]:
    """Return the BIO tags of one entity.

    `PER`, 3 -> `B-PER`, `I-PER`, `I-PER`.
    """
    return [f"{prefix}-{name}" for prefix in "B" * min(1, n_tokens) + "I" * (n_tokens - 1)]


def tag_spans(tags: Sequence[str]) -> list[TagSpan]:
    """Return the entities that tags mark, in order.

    An entity ends before `O`, before another type, before `B` and `S`, and after `E` and `S`.
    """
    spans: list[TagSpan] = []
    begin, before, its_type = 0, "O", ""  # of the entity that is open while `before` is not O
    for position, tag in enumerate((*tags, "O")):
        prefix, name = _split(tag)
        is_new = prefix in _BEGINS or before in _ENDS or name != its_type
        if before != "O" and (prefix == "O" or is_new):
            spans.append((begin, position - 1, its_type))
        if prefix != "O" and (before == "O" or is_new):
            begin = position
        before, its_type = prefix, name
    return spans


def _split(tag: str) -> tuple[str, str]:
    if tag == "O":
        return "O", ""
    prefix, dash, name = tag.partition("-")
    return (_PREFIXES[prefix], name) if dash and name and prefix in _PREFIXES else ("I", tag)
