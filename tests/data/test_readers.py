import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
from mtdemo.errors import DataFileError

TAGGED = '{"tokens": ["Ada", "slept", "."], "tags": ["B-PER", "O", "O"], "annotated": ["PER"], "source": "s"}\n'


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "data"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_tagged_sentences_know_where_their_tokens_stand(tmp_path: Path) -> None:
    (sentence,) = read_tagged(write(tmp_path, TAGGED))
    assert sentence.text == "Ada slept ."
    assert [sentence.text[start:end] for start, end in sentence.token_spans] == list(sentence.tokens)
    assert sentence.annotated == ("PER",)


def test_a_source_that_does_not_say_what_it_marks_marks_everything(tmp_path: Path) -> None:
    (sentence,) = read_tagged(write(tmp_path, '{"tokens": ["a"], "tags": ["O"]}'))
    assert sentence.annotated is None


def test_labelled_sentences_and_pairs(tmp_path: Path) -> None:
    (row,) = read_labelled(write(tmp_path, '\n{"text": "fine", "label": "positive"}\n\n'))
    assert (row.text, row.label) == ("fine", "positive")
    (pair,) = read_pairs(write(tmp_path, '4.5\tA "quoted" one\tanother\r\n'))
    assert (pair.score, pair.first, pair.second) == (4.5, 'A "quoted" one', "another")


@pytest.mark.parametrize(
    ("read", "content", "words"),
    [
        (read_tagged, TAGGED + "{", "line 2"),
        (read_tagged, '{"tokens": ["a"]}', "line 1: no field 'tags'"),
        (read_tagged, '{"tokens": ["a"], "tags": []}', "1 tokens but 0 tags"),
        (read_tagged, '{"tokens": "a", "tags": ["O"]}', "tokens must be a list of strings"),
        (read_tagged, '{"tokens": ["a"], "tags": ["B-LOC"], "annotated": ["PER"]}', "LOC is tagged, but not among what is"),
        (read_tagged, "[1]", "JSON object"),
        (read_labelled, '{"text": 5, "label": "x"}', "must be strings"),
        (read_pairs, "1.0\tonly one", "2 columns instead of 3"),
        (read_pairs, "high\ta\tb", "line 1"),
        (read_pairs, "nan\ta\tb", "must be a number"),
        (read_pairs, b"\xff\xff", "not a UTF-8 text file, line 1"),
        (
            read_labelled,
            b'{"text": "a", "label": "b"}\n' * 9999 + b'{"text": "\xff"}\n',
            "not a UTF-8 text file, line 10000",
        ),
        (read_labelled, "", "holds no sentences"),
    ],
)
def test_a_broken_file_names_file_and_line(
    tmp_path: Path, read: Callable[[Path], object], content: str | bytes, words: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataFileError, match=words) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_null_is_as_good_as_nothing(tmp_path: Path) -> None:
    (tagged,) = read_tagged(write(tmp_path, '{"tokens": ["a"], "tags": ["PER"], "annotated": null, "source": null}'))
    (labelled,) = read_labelled(write(tmp_path, '{"text": "a", "label": "b", "source": null}'))
    assert (tagged.annotated, tagged.source, labelled.source) == (None, "", "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="nowhere"):
        read_tagged(tmp_path / "nowhere")


COLUMNS = """-DOCSTART- -X- -X- O

# text = EU rejects # 1
EU NNP B-NP I-ORG
rejects VBZ B-VP O
# NN I-NP O
1 CD I-NP O

Paris NNP B-NP B-LOC
"""


def named(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.conll", "a.IOB2", "a.txt"])
def test_columns_give_sentences(tmp_path: Path, name: str, ends: str) -> None:
    first, second = read_tagged(named(tmp_path, name, COLUMNS.replace("\n", ends)))
    assert first.tokens == ("EU", "rejects", "#", "1")
    assert first.tags == ("I-ORG", "O", "O", "O")
    assert first.place.endswith("line 4")
    assert (second.tokens, second.tags, second.annotated) == (("Paris",), ("B-LOC",), None)


def test_a_document_ends_a_sentence_and_only_spaces_and_tabs_part_columns(tmp_path: Path) -> None:
    content = "10\u00a0000  O\n-DOCSTART- O\nAda\tPER\n# PER\n# S-PER\n"
    first, second = read_tagged(named(tmp_path, "a.conll", content))
    assert first.tokens == ("10\u00a0000",)
    assert (second.tokens, second.tags) == (("Ada", "#", "#"), ("B-PER", "I-PER", "B-PER"))


@pytest.mark.parametrize("tags", [("B-PER", "I-PER", "E-PER", "S-LOC"), ("B-PER", "I-PER", "L-PER", "U-LOC")])
def test_other_ways_to_mark_the_same_spans_become_bio(tmp_path: Path, tags: tuple[str, ...]) -> None:
    expected = ("B-PER", "I-PER", "I-PER", "B-LOC")
    columns = "".join(f"x {tag}\n" for tag in tags)
    assert read_tagged(named(tmp_path, "a.bio", columns))[0].tags == expected
    line = json.dumps({"tokens": ["x"] * 4, "tags": tags})
    assert read_tagged(write(tmp_path, line))[0].tags == expected


def test_a_hash_is_a_token_where_it_has_a_tag_and_a_remark_where_it_says_something(tmp_path: Path) -> None:
    content = "# text = Jackie O\n#brand ORG\nJackie PER\nO PER\n#newdoc\n"
    (sentence,) = read_tagged(named(tmp_path, "a.conll", content))
    assert sentence.tokens == ("#brand", "Jackie", "O")
    assert sentence.tags == ("ORG", "PER", "PER")


def test_csv_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = '\N{BYTE ORDER MARK}label,text,extra\r\npositive,"so, ""good""\nindeed",1\r\nnegative,bad,2\r\n'
    first, second = read_labelled(named(tmp_path, "a.csv", content))
    assert (first.text, first.label, first.place[-6:]) == ('so, "good"\nindeed', "positive", "line 2")
    assert (second.text, second.label) == ("bad", "negative")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.conll", "EU B-ORG\nalone\n", "line 2: 'alone' stands alone"),
        ("a.conll", "\n\n", "holds no sentences"),
        ("a.csv", "sentence,label\nx,y\n", "line 1: the first line must name the columns text and label"),
        ("a.csv", "text,label\nx\n", "line 2: a row must have a text and a label"),
        ("a.csv", "label,text\npositive,I like it, really\n", "line 2: a row has more columns than the first line"),
        ("a.csv", 'label,text\npositive,"never closed\nnegative,bad\n', "line 2: unexpected end of data"),
        ("a.csv", "text,label\n", "holds no sentences"),
        ("a.csv", "", "line 1: the first line must name the columns text and label, but has nothing."),
        (
            "a.data",
            "EU O\n",
            "line 1: this is no JSON (Expecting value, column 1); columns are read from .conll, ",
        ),
        (
            "a.jsonl",
            '{"tokens": 1,\n',
            "line 1: this is no JSON (Expecting property name enclosed in double quotes, line 2, column",
        ),
    ],
)
def test_broken_columns_and_csv_name_file_and_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = named(tmp_path, name, content)
    read = read_labelled if name.endswith("csv") else read_tagged
    with pytest.raises(DataFileError) as caught:
        read(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_place_is_no_part_of_a_sentence(tmp_path: Path) -> None:
    one, other = read_tagged(write(tmp_path, TAGGED * 2))
    assert one == other
    assert (one.place[-6:], other.place[-6:]) == ("line 1", "line 2")


def test_a_first_line_that_is_no_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="line 1: "):
        read_labelled(named(tmp_path, "a.csv", 'text,label"\n"x" y,positive\n'))
    with pytest.raises(DataFileError, match="line 1: "):
        read_labelled(named(tmp_path, "a.csv", '"text",label,"open\nx,positive,y\n'))


def test_both_parts_of_a_marked_file_are_read_and_that_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = named(tmp_path, "a.txt", "[train]\nneutral | [Ada](PER) left.\n[test]\npositive | Fine!\n")
    assert [row.tags for row in read_tagged(path)] == [("B-PER", "O", "O"), ("O", "O")]
    assert [(row.text, row.label) for row in read_labelled(path)] == [("Ada left.", "neutral"), ("Fine!", "positive")]
    assert caplog.messages == [f"Note: {path}: the sentences of both its parts, [train] and [test], are read."] * 2


def test_blanks_that_are_no_entity_change_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Data sets hold empty tokens, and rows of nothing else."""
    blank = '{"tokens": ["Ada", "", " "], "tags": ["PER", "O", "O"]}\n'
    (sentence,) = read_tagged(write(tmp_path, blank + '{"tokens": ["", " "], "tags": ["O", "O"]}\n'))
    assert (sentence.tokens, sentence.tags) == (("Ada", "", " "), ("PER", "O", "O"))
    assert "data, line 2: 1 of 2 rows are blank and left out" in caplog.text
    with pytest.raises(DataFileError, match="token 2 is blank"):
        read_tagged(write(tmp_path, blank.replace('"O", "O"', '"PER", "O"')))
