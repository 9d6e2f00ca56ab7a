"""Files that a person brings to the box: any format, texts with what stood beside them, and what was left out is told."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from mtdemo.data import sheets
from mtdemo.data.loaded_file import SUFFIXES, LoadedFile, TextLimits, load_file, split_text
from mtdemo.data.marked_text import SAMPLE
from mtdemo.errors import DataFileError, EmptyInputError

LIMITS = TextLimits(n_texts=1_000, n_characters=50_000, n_characters_in_all=200_000)


def load(tmp_path: Path, name: str, content: str | bytes, limits: TextLimits = LIMITS, column: str = "") -> LoadedFile:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_file(path, limits, column)


def workbook(tmp_path: Path, *tables: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for number, rows in enumerate(tables, start=1):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    path = tmp_path / "made.xlsx"
    book.save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,review,label\n1,Good.,yes\n2,"Bad, really.",no\n'),
        ("a.csv", "id;review;label\r\n1;Good.;yes\r\n2;Bad, really.;no\r\n"),
        ("a.tsv", "id\treview\tlabel\n1\tGood.\tyes\n2\tBad, really.\tno"),
        ("a.csv", '\ufeffid,review,label\n\n1,Good.,yes\n2,"Bad,\n really.",no\n'),
        ("a.jsonl", '{"id": 1, "review": "Good.", "label": "yes"}\n{"label": "no", "id": 2, "review": "Bad, really."}'),
        ("a.json", '[{"id": 1.0, "review": "Good.", "label": "yes"}, {"id": 2, "review": "Bad, really.", "label": "no"}]'),
    ],
)
def test_every_format_gives_the_same_texts_and_labels(tmp_path: Path, name: str, content: str) -> None:
    file = load(tmp_path, name, content)
    assert file.texts == ("Good.", "Bad, really.")
    assert (file.columns, file.text_column, file.label_column) == (("id", "review", "label"), "review", "label")
    assert file.labels == ("yes", "no")
    assert file.values("id") == ("1", "2")
    assert (file.name, file.n_rows, file.tagged) == (name, 2, ())


def test_a_workbook_is_read_and_its_other_sheets_are_told(tmp_path: Path) -> None:
    rows = [
        ["when", "comment", "stars", None],
        [datetime.date(2026, 1, 2), "Good.", 5.0, None],
        [],
        [None, "Bad.", True, None],
    ]
    file = load(tmp_path, "b.XLSX", workbook(tmp_path, [], rows, [["x"]]))
    assert file.columns == ("when", "comment", "stars")
    assert file.texts == ("Good.", "Bad.")
    assert file.rows == (("2026-01-02 00:00:00", "Good.", "5"), ("", "Bad.", "true"))
    assert file.notes == ("Read is the sheet 'Sheet 2'; 2 others left out.",)


def test_a_workbook_of_many_rows_is_read_to_the_limit(tmp_path: Path) -> None:
    content = workbook(tmp_path, [["text"], *([f"Row {number}."] for number in range(50))])
    file = load(tmp_path, "b.xlsx", content, TextLimits(10, 100, 1_000))
    assert file.texts == tuple(f"Row {number}." for number in range(10))
    assert file.n_rows is None
    assert "The first 10 texts are taken, and what follows is left out" in file.notes[0]


def test_a_row_far_down_is_found(tmp_path: Path) -> None:
    book = Workbook()
    book.active["A1"], book.active["B1"] = "text", "label"
    book.active["A200000"], book.active["B200000"] = "Far down.", "x"
    book.save(tmp_path / "far.xlsx")
    file = load_file(tmp_path / "far.xlsx", LIMITS)
    assert (file.texts, file.labels) == (("Far down.",), ("x",))


def test_only_so_many_columns_are_kept_and_it_is_told(tmp_path: Path) -> None:
    names = [f"name {letter}{number}" for number in range(6) for letter in "abcdefghij"]
    for file in (
        load(tmp_path, "wide.xlsx", workbook(tmp_path, [names, names])),
        load(tmp_path, "wide.csv", f"{','.join(names)}\n{','.join(names)}\n"),
        load(tmp_path, "wide.jsonl", json.dumps(dict(zip(names, names, strict=True)))),
    ):
        assert len(file.columns) == len(file.rows[0]) == sheets.MAX_COLUMNS
        assert "Only the first 50 columns are kept." in file.notes


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MAX_UNPACKED_BYTES", 1_000)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "0" * 10_000)
    with pytest.raises(DataFileError, match=r"^bomb\.xlsx unpacks to 0 MB; at most"):
        load_file(tmp_path / "bomb.xlsx", LIMITS)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"text\nno workbook"])
def test_what_is_no_workbook_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataFileError, match=r"^b\.xlsx cannot be read as a workbook\. Save the sheet as CSV"):
        load(tmp_path, "b.xlsx", content)


def test_the_text_column_is_guessed_by_name_or_by_content_and_can_be_chosen(tmp_path: Path) -> None:
    by_content = "a,b,c\n1,Some words that one reads,x\n2,Other words of a sentence,x\n"
    assert load(tmp_path, "c.csv", by_content).text_column == "b"
    both = "Title,Text,Class\nOne,The first text.,x\nTwo,The second text.,y\n"
    assert load(tmp_path, "c.csv", both).text_column == "Text"
    chosen = load(tmp_path, "c.csv", both, column="Title")
    assert (chosen.texts, chosen.labels) == (("One", "Two"), ("x", "y"))
    assert load(tmp_path, "c.csv", both, column="gone").text_column == "Text"
    assert load(tmp_path, "c.csv", both, column="Class").label_column == ""


def test_a_table_without_names_is_read_whole_and_told(tmp_path: Path) -> None:
    file = load(tmp_path, "d.csv", "1,It rains.\n2,It snows.\n")
    assert (file.columns, file.texts) == (("column 1", "column 2"), ("It rains.", "It snows."))
    assert "names no columns" in file.notes[0]
    lines = load(tmp_path, "d.csv", "I came, I saw.\nFine.\nIt was so, and, well, not so.\n")
    assert (lines.columns, lines.texts[0], lines.notes) == (("column 1",), "I came, I saw.", ())
    commas = load(tmp_path, "d.csv", "text\nI came, I saw.\nHi, you.\nYes, me.\n")
    assert commas.texts == ("I came, I saw.", "Hi, you.", "Yes, me.")
    assert load(tmp_path, "d.csv", "id,text\n1,One,\n2,Two,\n").texts == ("One", "Two")
    assert load(tmp_path, "d.csv", 'text\n"One, two."\nThree\n').texts == ("One, two.", "Three")


def test_lines_are_texts(tmp_path: Path) -> None:
    file = load(tmp_path, "e.txt", "One, two.\r\n\r\n  Three\ttabs \nO\n")
    assert file.texts == ("One, two.", "Three\ttabs", "O")
    assert (file.columns, file.label_column, file.notes) == (("text",), "", ())


@pytest.mark.parametrize("name", ["f.conll", "f.txt", "f.tsv", "f.bio"])
def test_entity_tags_are_kept(tmp_path: Path, name: str) -> None:
    file = load(tmp_path, name, "-DOCSTART- O\n\nAda\tB-PER\nleft\tO\n\nRome\tB-LOC\n".replace("\t", "\t"))
    assert file.texts == ("Ada left", "Rome")
    assert [sentence.tags for sentence in file.tagged] == [("B-PER", "O"), ("B-LOC",)]
    assert all(sentence.text == text for sentence, text in zip(file.tagged, file.texts, strict=True))


def test_tokens_and_tags_of_json_are_texts_with_tags(tmp_path: Path) -> None:
    file = load(tmp_path, "g.jsonl", '{"tokens": ["Ada", "left"], "tags": ["S-PER", "O"], "source": "x"}')
    assert (file.texts, file.columns) == (("Ada left",), ("text", "source"))
    assert file.tagged[0].tags == ("B-PER", "O")


def test_the_projects_own_sample_can_be_dropped(tmp_path: Path) -> None:
    file = load_file(SAMPLE, LIMITS)
    assert file.columns == ("text", "label", "part")
    assert {*file.labels} == {"negative", "neutral", "positive"}
    assert {*file.values("part")} == {"train", "test"}
    assert "[" not in "".join(file.texts)


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rows = ["text,label", "short,a", ",b", '"two\nlines",c', f"{'x' * 30},d", "a,b,c,d", "last,nan"]
    file = load(tmp_path, "h.csv", "\n".join(rows), TextLimits(10, 20, 1_000))
    assert file.texts == ("short", "two lines", "last")
    assert file.labels == ("a", "c", "")
    assert file.notes == (
        "1 row without a text left out.",
        "1 text of more than 20 characters left out, line 6 first.",
        "Line breaks within 1 text are spaces now.",
        "1 row of more cells than columns left out, line 7 first.",
    )
    many = load(tmp_path, "h.txt", "line\n" * 2_500)
    assert len(many.texts) == 1_000
    assert many.notes[0].startswith("The first 1,000 texts are taken, and the other 1,500 rows are left out")
    assert len(load(tmp_path, "h.txt", "line\n" * 10, TextLimits(100, 20, 19)).texts) == 4


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("i.pdf", "x", "of a kind that is not read"),
        ("i.txt", " \n ", "holds no text"),
        ("i.csv", "text,label\n,a\n", "holds no text in the column 'text'"),
        ("i.csv", 'text,label\n"open,a\n', "i.csv, line 2"),
        ("i.jsonl", '{"text": "a"}\n{"text"', "i.jsonl, line 2: this is no JSON"),
        ("i.txt", b"caf\xe9", "i.txt is not a UTF-8 text file, line 1"),
        ("i.csv", b"\x89PNG\0\0\0", "i.csv"),
        ("i.txt", "a\n" * 2_000_001, "i.txt has 4.0 MB; at most 4 are read"),
    ],
)
def test_what_cannot_be_read_is_refused_without_its_directory(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataFileError) as caught:
        load(tmp_path, name, content)
    assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="not here any more"):
        load_file(tmp_path / "gone.txt", LIMITS)


def test_rows_are_found_again_after_the_box_was_changed(tmp_path: Path) -> None:
    file = load(tmp_path, "j.csv", "text,label\nsame,a\nother,b\nsame,c\n")
    assert file.find_rows(["same", "new", "same", "other", "same"]) == (0, None, 2, 1, None)
    assert file.find_rows(file.texts) == (0, 1, 2)


@given(
    cells=st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=6),
    suffix=st.sampled_from(SUFFIXES),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_are_lines_within_the_limits_or_the_file_is_refused(
    tmp_path: Path, cells: list[tuple[str, str]], suffix: str
) -> None:
    rows = [{"text": first, "label": second} for first, second in cells]
    content = "\n".join(json.dumps(row) for row in rows) if "json" in suffix else "\n".join(map(",".join, cells))
    limits = TextLimits(4, 10, 25)
    try:
        file = load(tmp_path, f"k{suffix}", content.encode(errors="replace"), limits)
    except DataFileError:
        return
    assert 1 <= len(file.texts) <= 4 and sum(map(len, file.texts)) <= 25
    assert len(file.texts) == len(file.rows) and all(len(row) == len(file.columns) for row in file.rows)
    assert all(text == text.strip() and 0 < len(text) <= 10 and not {*text} & {*"\r\n\0"} for text in file.texts)
    assert file.find_rows(file.texts) == tuple(range(len(file.texts)))


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_split_text_knows_the_places_of_its_sentences(text: str) -> None:
    try:
        file = split_text(text)
    except EmptyInputError:
        return
    places = zip(map(int, file.values("start")), map(int, file.values("end")), strict=True)
    assert [text[start:end] for start, end in places] == list(file.texts)
