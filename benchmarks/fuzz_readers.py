"""Fuzz the readers of labelled files: `python -m benchmarks.fuzz_readers --inputs 100000`.

Each input is a small file of one of the formats, of rows that are known, and then bent: bytes, lines and cells are
removed, doubled, or replaced by what troubles readers. The law: rows, or one of our errors that names the file, and the
line where it is about one; never anything else, and never a word lost. An input that was not bent must give its rows back.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtdemo.data.marked_text import MarkedSentence, Sample
from mtdemo.data.readers import read_labelled, read_pairs, read_sentences, read_tagged
from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.files import open_lines, read_text

WORDS = (
    "Ada", "Zürich", "Zu\u0308rich", "東京", "दिल्ली", "👩\u200d👩\u200d👧", "a\u00adb", "don't", "#oslo", "@bob", "1", ".",
)  # fmt: skip
TAGS = ("O", "O", "B-PER", "I-PER", "B-LOC", "S-PER", "E-LOC", "PER")
NASTY = (
    "\t", " ", "\n", "\r", "\r\n", "\n\n", "\0", "\ufeff", "\u2028", "\x85", "\x0b", "\u200b", "\u00a0", '"', "'", ",", ";",
    "|", "#", "# ", "-DOCSTART-", "[", "]", "(", ")", "](", "[train]", "{", "}", "\\", "\\ud800", "NaN", "null", "_", "B-",
    "1-2", "sep=;", "e" * 50, "[" * 40, "9" * 30, "\U000e0067",
)  # fmt: skip
WHOLE_FILE = re.compile(r"holds no sentences|no sentences after a line|is no text file|holds texts|holds tokens|is not a")
READERS: tuple[Callable[[Path], Any], ...] = (read_tagged, read_labelled, read_pairs, read_sentences)


def make(draw: random.Random) -> tuple[str, str, int]:
    """Make a file that is not bent yet: its suffix, its text, and how many rows it has."""
    n = draw.randint(1, 4)
    sentences = [
        [("Ok", "O"), *((draw.choice(WORDS), draw.choice(TAGS)) for _ in range(draw.randint(0, 4)))] for _ in range(n)
    ]
    plain = [" ".join(word for word, _ in sentence) for sentence in sentences]
    kind = draw.choice(("columns", "counted", "csv", "lines", "array", "marked", "pairs"))
    if kind in ("columns", "counted"):
        gap = draw.choice((" ", "\t"))
        first = (lambda i: f"{i}{gap}") if kind == "counted" else (lambda i: "")
        lines = ["".join(f"{first(i)}{w}{gap}{t}\n" for i, (w, t) in enumerate(s, 1)) for s in sentences]
        return draw.choice((".conll", ".txt", ".tsv")), "\n".join(lines), n
    if kind == "csv":
        gap = draw.choice((",", ";", "\t"))
        rows = "".join('"' + text.replace('"', '""') + f'"{gap}positive\r\n' for text in plain)
        return ".csv", f"text{gap}label\r\n{rows}", n
    if kind == "marked":
        rows = [f"neutral | [{sentence[0][0]}](PER) {text}\n" for sentence, text in zip(sentences, plain, strict=True)]
        return ".txt", f"[train]\n{''.join(rows)}[test]\n{rows[0]}", n + 1
    if kind == "pairs":
        return ".pairs", "".join(f"{draw.random() * 5}\t{text}\t{text}\n" for text in plain), n
    tagged = draw.random() < 0.5
    objects = [
        {"tokens": [w for w, _ in s], "tags": [t for _, t in s]} if tagged else {"text": text, "label": "positive"}
        for s, text in zip(sentences, plain, strict=True)
    ]
    if kind == "array":
        return ".json", json.dumps(objects, indent=draw.choice((None, 1))), n
    return ".jsonl", "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects), n


def bend(draw: random.Random, content: bytes) -> bytes:
    """Bend a file a few times."""
    for _ in range(draw.randint(1, 2)):
        place, length = draw.randint(0, len(content)), draw.randint(0, 12)
        pieces = (
            b"",
            draw.choice(NASTY).encode(),
            draw.randbytes(draw.randint(1, 3)),
            content[place : place + 40] * 2,
        )
        content = content[:place] + draw.choice(pieces) + content[place + (length if draw.random() < 0.5 else 0) :]
    return content


def hold(law: bool, said: object) -> None:
    """Raise where a law is broken."""
    if not law:
        raise AssertionError(said)


def check(path: Path, suffix: str, n_rows: int | None) -> str:
    """Read a file in every way; return what came of it, or raise what must not come."""
    outcome, n_read = "error", 0
    for read in READERS:
        try:
            found = read(path)
        except DataFileError as error:
            told = str(error)
            hold(path.name in told, told)
            hold(bool(re.search(r", line \d+: ", told) or WHOLE_FILE.search(told)), told)
            continue
        outcome = "rows"
        rows = (*found.train, *found.test) if isinstance(found, Sample) else found
        if read is (read_pairs if suffix == ".pairs" else read_sentences):
            n_read = len(rows)
        check_rows(rows)
        if path.suffix in (".conll", ".tsv") and isinstance(rows[0], TaggedSentence):
            check_columns([token for row in rows for token in row.tokens], read_text(path))
    hold(n_rows is None or n_read == n_rows, f"{n_read} rows instead of {n_rows}")
    check_lines(path)
    return f"{outcome}, {suffix}"


def check_rows(rows: Sequence[Any]) -> None:
    """Check that no word of what was read is lost, and that labels are clean."""
    hold(len(rows) > 0, "no rows and no error")
    for row in rows:
        if isinstance(row, MarkedSentence):
            hold("".join("".join(row.tagged.tokens).split()) == "".join(row.text.split()), row)
            hold(all(row.text[start:end] for start, end, _ in row.spans), row)
        if isinstance(row, TaggedSentence):
            hold(len(row.tokens) == len(row.tags) and row.text.strip() != "", row)
            hold(all(token or tag == "O" for token, tag in zip(row.tokens, row.tags, strict=True)), row)
            hold(all(tag.strip() == tag for tag in row.tags), row)
        if isinstance(row, LabelledSentence):
            hold(row.label == row.label.strip() != "" and row.text.strip() != "", row)


def check_columns(tokens: Sequence[str], text: str) -> None:
    """Check that each line of columns gave its token; those of remarks and contractions may have none."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("-DOCSTART-")]
    may_have_none = [line for line in lines if line.startswith("#") or re.match(r"[ \t]*\d{1,9}[-.]\d{1,9}\s", line)]
    hold(len(lines) - len(may_have_none) <= len(tokens) <= len(lines), "a word is lost")
    position = 0
    for token in tokens:
        position = text.find(token, position)
        hold(position >= 0, f"{token!r} is not in the file, or not there")
        position += len(token)


def check_lines(path: Path) -> None:
    """Check that lines are those of an editor, and that nothing of the text is lost."""
    content = path.read_bytes()
    try:
        with open_lines(path) as lines:
            found = [line for line, _ in lines]
        text = content.decode("utf-8-sig")
    except (DataFileError, UnicodeDecodeError):
        return
    hold(found == re.split("\r\n|\r|\n", text)[: len(found)], "lines are others")
    hold("".join(found) == re.sub("[\r\n]", "", text), "a line is lost")


def main() -> None:
    """Fuzz for a number of inputs or of seconds, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.inputs):
            if time.perf_counter() - start > options.seconds:
                break
            draw = random.Random(f"{options.seed} {number}")  # noqa: S311
            suffix, text, n_rows = make(draw)
            is_bent = draw.random() < 0.9
            encoding = draw.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"))
            content = bend(draw, text.encode(encoding)) if is_bent else text.encode(encoding)
            path = Path(directory) / f"input{suffix}"
            path.write_bytes(content)
            try:
                outcome = check(path, suffix, None if is_bent else n_rows)
            except Exception:
                print(f"input {number} of seed {options.seed}: {suffix} {content!r}")
                raise
            counts[f"{'bent' if is_bent else 'good'}: {outcome}"] += 1
    for outcome, count in sorted(counts.items()):
        print(f"{count:8,}  {outcome}")
    print(f"{counts.total():8,}  inputs in {time.perf_counter() - start:.0f} s, each read by {len(READERS)} readers")


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # that rows repeat is no news here
    main()
