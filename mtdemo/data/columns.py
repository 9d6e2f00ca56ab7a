"""Tagged sentences in columns: a token and its tag per line, a blank line between sentences.

Read are CoNLL-2003 and its kin (first column the token, last the tag), files whose first column counts (CoNLL-U with a tag
in the last column or as `NER=` in MISC, GermEval with its outer tags), and CoNLL-2012 as of OntoNotes. Where the last
column holds no entity tags, the only other one of entity tags is read; a first line such as `token tag` names the columns.
Columns stand apart by tabs where the first line has one, so a token may have spaces, and by spaces and tabs elsewhere. All
lines have the same number of columns; one that has not is refused, since a part of it would be read as something else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from mtdemo.data.records import TaggedSentence, make_tagged
from mtdemo.errors import DataFileError

_TAG = re.compile(r"[Oo]|[BIESLUMWbi]-\S+")
_IN_MISC = re.compile(r"(?:^|\|)(?:NER|NE)=([^|]*)")
_CHUNKS = {"NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"}  # a column beside the entities
_NAMES_OF_TOKENS = {"token", "tokens", "word", "words", "form", "text"}
_NAMES_OF_TAGS = {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity", "iob", "bio", "bioes"}
_N_OF_CONLLU = 10
_N_OF_ONTONOTES, _TOKEN_OF_ONTONOTES, _TAG_OF_ONTONOTES = 12, 3, 10


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: tuple[str, ...]


_Sentence: TypeAlias = list[_Line]
_Tags: TypeAlias = Callable[[_Sentence], list[str]]


def read_columns(text: str, name: str) -> Iterator[TaggedSentence]:
    """Read the tagged sentences of a file in columns.

    Args:
        text: of the file.
        name: what messages call it.

    Raises:
        DataFileError: naming the line.
    """
    sentences, named = _without_header(_sentences(text, name))
    if not sentences:
        return
    token, tags = _layout(sentences, name)
    if named not in (None, token):
        raise DataFileError(
            f"{name}, line {sentences[0][0].number}: tokens are read from column {token + 1}, but the names of the columns "
            "say another one; leave out the columns before it."
        )
    for sentence in sentences:
        words = [line for line in sentence if not _is_range(line.cells[0]) or token != 1]
        place = f"{name}, line {sentence[0].number}"
        if words:
            places = [f"{name}, line {line.number}" for line in words]
            read = tags(words)
            torn = next((number for number, tag in enumerate(read) if " " in tag), None)
            if torn is not None:
                raise DataFileError(f"{places[torn]}: the tag {read[torn][:60]!r} has a space; tabs must part all columns.")
            yield make_tagged([line.cells[token] for line in words], read, place=place, places=places)


def is_in_columns(text: str) -> bool:
    """Tell whether a text stands in columns.

    Its first line that is no remark says so.
    """
    for line in text.split("\n"):
        if line.lstrip().startswith("-DOCSTART-"):
            return True
        if line.lstrip().startswith("["):  # `[train]`; a token is no bracket alone but in `[ -LRB- O`
            return "]" not in line and len(line.split()) > 1
        cells = _split(line, "\t" in line.strip(" \t"))
        if line.strip() and not line.startswith("#"):
            return len(cells) > 1 and "|" not in cells
    return False


def _sentences(text: str, name: str) -> list[_Sentence]:
    """Part a text into sentences of lines with their cells."""
    sentences: list[_Sentence] = [[]]
    by_tab, n_columns = False, 0
    for number, line in enumerate(text.split("\n"), start=1):
        if _ends_sentence(line):
            sentences.append([])
            continue
        if not n_columns:
            by_tab = "\t" in line.strip(" \t") and not _is_remark(_split(line, by_tab=False))
        cells = _split(line, by_tab)
        if _is_remark(cells):
            continue
        if not n_columns:
            n_columns = len(cells)
        if len(cells) == 1:
            raise DataFileError(
                f"{name}, line {number}: {cells[0][:60]!r} stands alone; a line needs a token and, in its last column, a "
                f"tag"
                f"{', with a tab between them as in the lines before' if by_tab else ''}."
            )
        if len(cells) != n_columns and not _is_ontonotes(cells):
            raise DataFileError(
                f"{name}, line {number}: {len(cells)} columns where the first line has {n_columns}; a token with spaces "
                "needs tabs between the columns, in all lines."
            )
        sentences[-1].append(_Line(number, cells))
    return [sentence for sentence in sentences if sentence]


def _without_header(sentences: list[_Sentence]) -> tuple[list[_Sentence], int | None]:
    """Leave out a first line that names the columns.

    Returns:
        The sentences, and the column that the line says holds the tokens; None where there is no such line.
    """
    names = [cell.lower() for cell in sentences[0][0].cells] if sentences else [""]
    named = next((column for column, cell in enumerate(names) if cell in _NAMES_OF_TOKENS), None)
    if named is None or names[-1] not in _NAMES_OF_TAGS:
        return sentences, None
    first = sentences[0][1:]
    return [first, *sentences[1:]] if first else sentences[1:], named


def _ends_sentence(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith(("-DOCSTART-", "#begin document", "#end document"))


def _split(line: str, by_tab: bool) -> tuple[str, ...]:
    """Split a line into cells.

    Other spaces, such as the no-break space of `10 000`, are a token's own.
    """
    if by_tab:
        return tuple(cell.strip(" ") for cell in line.rstrip(" \t").split("\t"))
    return tuple(re.split("[ \t]+", line.strip(" \t")))


def _is_remark(cells: Sequence[str]) -> bool:
    """Tell whether a line is a comment.

    `# text = …` is one; `#` and `#word` with a tag are tokens.
    """
    if cells[0] != "#":
        return cells[0].startswith("#") and len(cells) == 1
    is_tagged = len(cells) > 1 and (_TAG.fullmatch(cells[-1]) or (len(cells) == 2 and cells[1].isupper()))
    return cells[2:3] == ("=",) or not is_tagged


def _layout(sentences: Sequence[_Sentence], name: str) -> tuple[int, _Tags]:
    """Find the column of the tokens, and the tags' reader."""
    first = sentences[0][0].cells
    if _is_ontonotes(first):
        return _TOKEN_OF_ONTONOTES, _read_brackets
    lines = [line for sentence in sentences for line in sentence]
    counts = len(first) > 2 and _counts(sentences)
    token = 1 if counts else 0
    if not counts and len(first) > 2 and _is_same(sentences):
        raise DataFileError(
            f"{name}, line {sentences[0][0].number}: the first column is {first[0]!r} throughout; it must hold the tokens."
        )
    if not counts and len(first) > 2 and _are_numbers(lines):
        raise DataFileError(
            f"{name}, line {sentences[0][0].number}: the first column holds nothing but numbers such as {first[0]!r}, "
            "which do not count the tokens of a sentence; it must hold the tokens, or 1, 2, 3."
        )
    if counts and len(first) == _N_OF_CONLLU and not all(_TAG.fullmatch(line.cells[-1]) for line in lines):
        if not any(_IN_MISC.search(line.cells[-1]) for line in lines):
            raise DataFileError(
                f"{name}, line {sentences[0][0].number}: none of the ten columns of CoNLL-U holds entity tags; they are "
                "read from the last one, such as B-PER or NER=B-PER."
            )
        return token, _read_misc
    # GermEval is number, token, outer tag, inner tag.
    tag = 2 if counts and len(first) == 4 and _are_nested(lines) else _column_of_tags(lines, token)
    if tag is None:
        raise DataFileError(
            f"{name}, line {sentences[0][0].number}: the last column holds no entity tag, such as O or B-PER, but "
            f"{first[-1][:60]!r}."
        )
    return token, lambda sentence: [line.cells[tag] for line in sentence]


def _column_of_tags(lines: Sequence[_Line], token: int) -> int | None:
    """Return the column of the entity tags.

    It is the last one; where that has no tag, or those of chunks, the only other one of nothing but entity tags.
    """
    last = len(lines[0].cells) - 1
    has_tags = any(_TAG.fullmatch(line.cells[last]) for line in lines)
    if has_tags and not _are_chunks({line.cells[last] for line in lines}):
        return last
    values = ((column, {line.cells[column] for line in lines}) for column in range(token + 1, last))
    others = [column for column, tags in values if all(map(_TAG.fullmatch, tags)) and not _are_chunks(tags)]
    if len(others) == 1:
        return others[0]
    is_bare = last == 1 and all(line.cells[1].isupper() for line in lines)  # such as `Oslo LOC`, and nothing else
    return last if has_tags or is_bare else None


def _are_chunks(tags: set[str]) -> bool:
    types = {tag[2:] for tag in tags if tag != "O"}
    return bool(types) and types <= _CHUNKS


def _are_numbers(lines: Sequence[_Line]) -> bool:
    """Tell whether the first column numbers words of the next."""
    first, second = ("".join(line.cells[column] for line in lines) for column in (0, 1))
    return (
        len(lines) > 1
        and not re.search(r"[^\W\d_]", first)
        and re.search(r"[^\W\d_]", second) is not None
        and (all(any(map(str.isdecimal, line.cells[0])) for line in lines))
    )


def _counts(sentences: Sequence[_Sentence]) -> bool:
    """Tell whether the first column counts the tokens.

    It may count those of each sentence or of the file.
    """
    numbers = [
        [int(line.cells[0]) for line in sentence if line.cells[0].isdecimal() and len(line.cells[0]) < 10]
        for sentence in sentences
    ]
    n_words = sum(not _is_range(line.cells[0]) for sentence in sentences for line in sentence)
    rising = all(after == before + 1 for its in numbers for before, after in pairwise(its))
    if not rising or sum(map(len, numbers)) != n_words:
        return False
    return any(len(its) > 1 for its in numbers) or all(its == [1] for its in numbers)


def _is_range(cell: str) -> bool:
    """Tell whether a number is no word's.

    CoNLL-U numbers contractions as `1-2` and empty words as `8.1`.
    """
    return re.fullmatch(r"\d{1,9}[-.]\d{1,9}", cell) is not None


def _is_same(sentences: Sequence[_Sentence]) -> bool:
    """Tell whether the first column is constant in each sentence.

    The name of a document is.
    """
    long = [{line.cells[0] for line in sentence} for sentence in sentences if len(sentence) > 2]
    return bool(long) and all(len(values) == 1 for values in long)


def _are_nested(lines: Sequence[_Line]) -> bool:
    outer, inner = (Counter(line.cells[column] for line in lines) for column in (2, 3))
    if not all(_TAG.fullmatch(tag) for tag in (*outer, *inner)):
        return False
    return not {tag[2:] for tag in outer} & _CHUNKS


def _read_misc(sentence: _Sentence) -> list[str]:
    found = [_IN_MISC.search(line.cells[-1]) for line in sentence]
    return [match.group(1) if match else "O" for match in found]


def _is_ontonotes(cells: Sequence[str]) -> bool:
    """Tell whether cells are those of CoNLL-2012.

    They are document, part, number, token, …, entity, …, coreference.
    """
    return (
        len(cells) >= _N_OF_ONTONOTES
        and cells[1].isdecimal()
        and cells[2].isdecimal()
        and re.fullmatch(r"\*\)?|\([^()*\s]+(?:\*|\))", cells[_TAG_OF_ONTONOTES]) is not None
    )


def _read_brackets(sentence: _Sentence) -> list[str]:
    """Read tags in brackets.

    `(PERSON*`, `*)`, `*`, `(GPE)` -> `B-PERSON`, `I-PERSON`, `O`, `B-GPE`.
    """
    tags, inside = [], ""
    for line in sentence:
        cell = line.cells[_TAG_OF_ONTONOTES]
        if cell.startswith("("):
            inside = cell.strip("(*)")
            tags.append(f"B-{inside}")
        else:
            tags.append(f"I-{inside}" if inside else "O")
        if cell.endswith(")"):
            inside = ""
    return tags
