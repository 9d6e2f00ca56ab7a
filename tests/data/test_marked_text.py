from collections import Counter
from pathlib import Path

import pytest

from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.errors import DataFileError
from mtdemo.models.configuration import CLASS_LABELS, ENTITY_LABELS
from mtdemo.text.tags import entity_type, tag_spans

GOOD = "[train]\nneutral | [Ada](PER) left [New York](LOC).\n[test]\n# a remark\n\npositive | fine | really\n"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return read_sample()


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "mine.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_marks_become_spans(tmp_path: Path) -> None:
    sample = read_sample(write(tmp_path, GOOD))
    (first,) = sample.train
    assert (first.text, first.label) == ("Ada left New York.", "neutral")
    assert [(first.text[start:end], name) for start, end, name in first.spans] == [("Ada", "PER"), ("New York", "LOC")]
    assert first.tagged.tokens == ("Ada", "left", "New", "York", ".")
    assert first.tagged.tags == ("B-PER", "O", "B-LOC", "I-LOC", "O")
    assert first.labelled.place.endswith("line 2")
    assert sample.test[0].text == "fine | really", "only the first bar divides"


def test_a_name_within_a_word_cuts_it(tmp_path: Path) -> None:
    """Nothing that is marked is lost, also where a language writes no spaces."""
    lines = "neutral | un[American](MISC) ideas\nneutral | 我在[北京](LOC)工作\nneutral | a\u2028[B2B](any_type) b\n"
    first, second, third = read_sample(write(tmp_path, f"[train]\n{lines}[test]\nneutral | x\n")).train
    assert list(zip(first.tagged.tokens, first.tagged.tags, strict=True)) == [
        ("un", "O"), ("American", "B-MISC"), ("ideas", "O"),
    ]  # fmt: skip
    assert dict(zip(second.tagged.tokens, second.tagged.tags, strict=True)) == {"我在": "O", "北京": "B-LOC", "工作": "O"}
    assert third.text[slice(*third.spans[0][:2])] == "B2B" and third.place.endswith("line 4")


def test_the_projects_sample_is_large_varied_and_split(sample: Sample) -> None:
    sentences = [*sample.train, *sample.test]
    assert len(sentences) >= 240
    assert len({sentence.text for sentence in sentences}) == len(sentences)
    assert len(sample.test) >= 60
    for part in (sample.train, sample.test):
        classes = Counter(sentence.label for sentence in part)
        assert set(classes) == set(CLASS_LABELS)
        assert min(classes.values()) > len(part) / 4
        types = Counter(name for sentence in part for *_, name in sentence.spans)
        assert set(types) == set(ENTITY_LABELS) - {"O"}
        assert min(types.values()) >= 8


def test_every_marked_span_is_a_span_of_tokens(sample: Sample) -> None:
    """So nothing that is marked is lost on the way to the model, and touching names stay apart."""
    for sentence in (*sample.train, *sample.test):
        tagged = sentence.tagged
        found = {"".join(tagged.tokens[a : b + 1]) for a, b, _ in tag_spans(tagged.tags)}
        assert found == {"".join(sentence.text[s:e].split()) for s, e, _ in sentence.spans}, sentence.place
        assert {entity_type(tag) for tag in tagged.tags} <= set(ENTITY_LABELS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("neutral | early\n", "line 1: a line [train] or [test] must stand before"),
        ("[train]\nno bar here\n", "line 2: a line is a class, a bar and a text"),
        ("[train]\n| text\n", "line 2: a line is a class"),
        ("[train]\nneutral |\n", "line 2: a line is a class"),
        ("[dev]\n", "line 1: a part is [train] or [test], not [dev]"),
        ("[train]\nneutral | [Ada (PER) left\n", "line 2: a name is marked as [name](TYPE)"),
        ("[train]\nneutral | [Ada] (PER) left\n", "line 2: a name is marked as [name](TYPE)"),
        ("[train]\nneutral | x\n", "has no sentences after a line [test]"),
        (b"\xff\xff", "not a UTF-8 text file"),
    ],
)
def test_a_broken_file_names_file_and_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataFileError) as caught:
        read_sample(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="nowhere"):
        read_sample(tmp_path / "nowhere")
