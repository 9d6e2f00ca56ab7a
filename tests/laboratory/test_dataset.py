"""What the laboratory learns from: the project's sample, or a person's file, split, bounded and named."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mtdemo.errors import DataFileError
from mtdemo.laboratory.dataset import MAX_HELD_OUT, check_labels, read_dataset

OWN = read_dataset()
CLASSES = [{"text": f"text {n}", "label": "neutral"} for n in range(12)]
ENTITIES = [{"tokens": ["Rome", str(n)], "tags": ["LOC", "O"]} for n in range(12)]


def write(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def as_lines(rows: list[dict[str, object]]) -> str:
    return "\n".join(map(json.dumps, rows))


def test_the_projects_sample_serves_both_tasks() -> None:
    assert [sentence.place for sentence in OWN.tagged] == [sentence.place for sentence in OWN.labelled]
    assert len(OWN.tagged) + len(OWN.tagged_heldout) >= 240
    assert not {s.text for s in OWN.labelled} & {s.text for s in OWN.labelled_heldout}


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.json", "MINE.JSONL"])
def test_json_lines_with_classes_replace_the_classes(tmp_path: Path, name: str) -> None:
    dataset = read_dataset(write(tmp_path, name, as_lines(CLASSES)))
    assert (dataset.tagged, dataset.tagged_heldout) == (OWN.tagged, OWN.tagged_heldout)
    assert len(dataset.labelled_heldout) == 3
    assert dataset == read_dataset(tmp_path / name), "the lot is always the same"
    assert {s.text for s in (*dataset.labelled, *dataset.labelled_heldout)} == {row["text"] for row in CLASSES}
    assert len(dataset.labelled) == 9


def test_json_lines_with_entities_replace_the_entities(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path, "mine.jsonl", as_lines(ENTITIES)))
    assert (dataset.labelled, dataset.labelled_heldout) == (OWN.labelled, OWN.labelled_heldout)
    assert len(dataset.tagged) == 9 and len(dataset.tagged_heldout) == 3


def test_csv_columns_and_marked_sentences_are_read(tmp_path: Path) -> None:
    table = "text,label\n" + "\n".join(f'"text, {n}",positive' for n in range(8))
    assert len(read_dataset(write(tmp_path, "mine.csv", table)).labelled) == 6
    columns = "\n\n".join(f"Rome B-LOC\n{n} O" for n in range(8))
    plain = columns.replace("B-LOC", "LOC")
    assert read_dataset(write(tmp_path, "mine.txt", plain)).tagged[0].tags == ("LOC", "O")
    for name in ("mine.conll", "mine.txt"):
        assert read_dataset(write(tmp_path, name, "# text = Rome O\n\n" + columns)).tagged[0].tags == ("B-LOC", "O")
    assert len(read_dataset(write(tmp_path, "mine.TXT", "-DOCSTART- -X- O\n\n" + columns)).tagged) == 6
    marked = "[train]\n" + "neutral | [Ada](PER) left.\n" * 6 + "[test]\n" + "positive | [Rome](LOC)!\n" * 2
    dataset = read_dataset(write(tmp_path, "mine.txt", marked))
    assert (len(dataset.tagged), len(dataset.labelled), len(dataset.tagged_heldout)) == (6, 6, 2)
    assert dataset.phrase == (
        "6 sentences with entities and 6 with a class to learn from, 2 and 2 others kept aside"
        "; 6 of 8 rows repeat an earlier one"
    )


@pytest.mark.parametrize("n_rows", [40, 1_800])
def test_classes_that_alternate_are_both_kept_aside(tmp_path: Path, n_rows: int) -> None:
    rows: list[dict[str, object]] = [{"text": f"text {n}", "label": ("negative", "positive")[n % 2]} for n in range(n_rows)]
    dataset = read_dataset(write(tmp_path, "mine.jsonl", as_lines(rows)))
    for sentences in (dataset.labelled, dataset.labelled_heldout):
        shares = Counter(sentence.label for sentence in sentences)
        assert min(shares.values()) > len(sentences) / 5
    assert [s.place for s in dataset.labelled] == sorted(
        (s.place for s in dataset.labelled), key=lambda p: int(p.split()[-1])
    )


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"^mine\.csv is not here any more"):
        read_dataset(tmp_path / "mine.csv")


def test_a_model_with_other_labels_is_told_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(
        DataFileError, match=r"^the sample of this project, line \d+: the tag .* marked ones, in a \.txt file"
    ):
        check_labels(read_dataset(), ("angry", "calm"), ("DRUG_NAME",))
    marked = "[train]\n" + "calm | [Aspirin](DRUG_NAME) helps.\n" * 6 + "[test]\n" + "angry | No.\n" * 2
    check_labels(read_dataset(write(tmp_path, "mine.txt", marked)), ("angry", "calm"), ("DRUG_NAME",))


def test_much_that_is_kept_aside_is_thinned(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"text {n}", "label": "neutral"} for n in range(1_900)]
    dataset = read_dataset(write(tmp_path, "mine.jsonl", as_lines(rows)))
    assert len(dataset.labelled_heldout) <= MAX_HELD_OUT
    assert len(dataset.labelled) == 1_425


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", as_lines(CLASSES[:7]), "a.jsonl has 7 sentences; at least 8 are needed"),
        ("a.jsonl", as_lines(CLASSES) + "\n{", "a.jsonl, line 13"),
        ("a.jsonl", as_lines([{"words": []}]), "a.jsonl, line 1: no field 'text'"),
        ("a.jsonl", "", "a.jsonl holds no sentences"),
        ("a.jsonl", "\x00\x01", "a.jsonl is not a UTF-8 text file, line 1"),
        ("a.jsonl", "[" * 100_000, "a.jsonl, line 1"),
        ("a.jsonl", as_lines([{"text": " ", "label": "neutral"}, *CLASSES]), "a.jsonl, line 1: the text is blank"),
        ("a.jsonl", as_lines([{"tokens": ["", " "], "tags": ["O", "PER"]}, *ENTITIES]), "line 1: token 1 is blank"),
        ("a.jsonl", as_lines([*CLASSES, {"text": "x" * 1001, "label": "neutral"}]), "line 13: it has 1,001 characters"),
        ("a.csv", "a,b\n1,2", "must name the columns text and label"),
        ("a.conll", "Rome", "a.conll, line 1: 'Rome' stands alone"),
        ("a.txt", "hello", "a.txt, line 1: a line [train] or [test] must stand before"),
        (
            "a.txt",
            "[train]\nneutral | " + "[a](PER) " * 300_000 + "\n[test]\nneutral | b",
            "line 2: it has 599,999 characters",
        ),
        ("a.jsonl", as_lines(CLASSES * 200), "a.jsonl has more than 2,000 sentences"),
        ("a.jsonl", "x" * 4_000_001, "a.jsonl has 4.0 MB; at most 4 MB"),
    ],
)
def test_what_is_wrong_is_told_with_the_line_and_without_the_directory(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    with pytest.raises(DataFileError) as caught:
        read_dataset(write(tmp_path, name, content))
    assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_every_label_must_be_known_also_of_what_is_kept_aside(tmp_path: Path) -> None:
    classes, types = ("negative", "neutral", "positive"), ("PER", "ORG", "LOC", "MISC")
    check_labels(OWN, classes, types)
    rows = [*CLASSES[:3], {"text": "x", "label": "postive"}, *CLASSES]
    with pytest.raises(
        DataFileError, match=r"^a.jsonl, line 4: the class 'postive' is none of the model's: negative, neutral, positive\."
    ):
        check_labels(read_dataset(write(tmp_path, "a.jsonl", as_lines(rows))), classes, types)
    rows = [*ENTITIES[:7], {"tokens": ["x"], "tags": ["B-CAR"]}, *ENTITIES]
    with pytest.raises(DataFileError, match=r"^a.jsonl, line 8: the tag 'B-CAR' of 'x' is none of the model's: O, PER"):
        check_labels(read_dataset(write(tmp_path, "a.jsonl", as_lines(rows))), classes, types)


def test_a_binary_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xff\x00")
    with pytest.raises(DataFileError, match=r"^a\.jsonl is not a UTF-8 text file"):
        read_dataset(path)
