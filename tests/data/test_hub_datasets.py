"""Data sets of the hub: the real package over directories of this machine, so nothing is asked of any network."""

import builtins
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from mtdemo.data.hub_datasets import labelled_from, tagged_from
from mtdemo.errors import DataFileError

TAGS = List(ClassLabel(names=["O", "B-PER", "I-PER"]))


def serve(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> list[tuple[str, str]]:
    asked = []

    def load_dataset(name: str, split: str) -> Dataset:
        asked.append((name, split))
        return dataset

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_tags_that_are_numbers_get_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    features = Features({"id": Value("string"), "tokens": List(Value("string")), "ner_tags": TAGS})
    rows = {"id": ["0"], "tokens": [["Ada", "Lovelace", "slept"]], "ner_tags": [[1, 2, 0]]}
    asked = serve(monkeypatch, Dataset.from_dict(rows, features=features))
    (sentence,) = tagged_from("hub:someone/names:validation")
    assert (sentence.tokens, sentence.tags) == (("Ada", "Lovelace", "slept"), ("B-PER", "I-PER", "O"))
    assert sentence.place == "hub:someone/names:validation, row 0"
    assert asked == [("someone/names", "validation")]


def test_what_a_source_marks_at_all_and_its_name_are_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"tokens": [["Ada"], ["a"]], "tags": [["S-PER"], ["O"]], "annotated": [["PER"], []], "source": ["news", "chat"]}
    serve(monkeypatch, Dataset.from_dict(rows))
    sentence, unmarked = tagged_from("hub:x")
    assert (sentence.tags, sentence.annotated, sentence.source) == (("B-PER",), ("PER",), "news")
    assert unmarked.annotated == (), "a source may mark nothing, as in files"
    serve(monkeypatch, Dataset.from_dict({"text": ["a"], "label": ["positive"], "source": ["tweets"]}))
    assert labelled_from("hub:x")[0].source == "tweets"


@pytest.mark.parametrize("column", ["text", "sentence"])
def test_classes_that_are_numbers_get_their_names(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    features = Features({column: Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    asked = serve(monkeypatch, Dataset.from_dict({column: ["fine", "bad"], "label": [1, 0]}, features=features))
    assert [(row.text, row.label) for row in labelled_from("hub:moods")] == [("fine", "positive"), ("bad", "negative")]
    assert asked == [("moods", "train")]


def test_the_real_loader_reads_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    row = {"tokens": ["Ada", "slept"], "tags": ["B-PER", "O"]}
    (tmp_path / "set" / "train.jsonl").write_text(json.dumps(row) + "\n")
    (sentence,) = tagged_from(f"hub:{tmp_path / 'set'}")
    assert (sentence.tokens, sentence.tags) == (("Ada", "slept"), ("B-PER", "O"))


def test_a_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nfine,positive\n")
    assert labelled_from(str(path))[0].label == "positive"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"words": [["a"]]}, "hub:x has no column ner_tags or tags or labels, but words"),
        ({"tokens": [["a"]], "tags": [["O", "O"]]}, "hub:x, row 0: 1 tokens but 2 tags"),
        ({"tokens": [["a"], None], "tags": [["O"], ["O"]]}, "row 1: tokens must be a list, not None"),
        ({"tokens": [["a"]], "tags": [None]}, "hub:x, row 0: tags must be a list, not None"),
        ({"tokens": [["a"], []], "tags": [["O"], []]}, "hub:x, row 1: no tokens"),
        ({"tokens": [], "tags": []}, "hub:x holds no sentences"),
    ],
)
def test_what_a_data_set_lacks_is_named(monkeypatch: pytest.MonkeyPatch, rows: dict[str, Any], words: str) -> None:
    serve(monkeypatch, Dataset.from_dict(rows))
    with pytest.raises(DataFileError) as caught:
        tagged_from("hub:x")
    assert words in str(caught.value)


@pytest.mark.parametrize("label", [-1, None])
def test_a_sentence_without_a_label_is_not_taken_for_one_of_the_last_class(
    monkeypatch: pytest.MonkeyPatch, label: int | None
) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    serve(monkeypatch, Dataset.from_dict({"text": ["fine", "?"], "label": [1, label]}, features=features))
    with pytest.raises(DataFileError, match=f"hub:x, row 1: {label} is no label; they are 0 to 1, negative, positive"):
        labelled_from("hub:x")


def test_a_row_without_a_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Dataset.from_dict({"text": [None], "label": ["positive"]}))
    with pytest.raises(DataFileError, match="hub:x, row 0: None is no text"):
        labelled_from("hub:x")


def test_a_data_set_that_cannot_be_loaded_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str, split: str) -> Dataset:
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataFileError, match="hub:x cannot be loaded: no route"):
        labelled_from("hub:x")


def test_without_the_package_the_person_learns_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataFileError, match="pip install datasets"):
        tagged_from("hub:x")
