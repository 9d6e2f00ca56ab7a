from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.training.examples import allowed_labels, labelled_examples, tagged_examples

LABELS = ["O", "PER", "ORG", "LOC", "MISC"]


@pytest.mark.parametrize(
    ("labels", "tag", "annotated", "expected"),
    [
        (LABELS, "O", None, "O"),
        (LABELS, "O", ("PER", "ORG", "LOC"), "O MISC"),
        (LABELS, "B-PER", ("PER",), "PER"),
        (["O", "B-PER", "I-PER"], "B-PER", None, "B-PER"),
        (["O", "B-PER", "I-PER"], "PER", None, "B-PER I-PER"),
        (["O", "B-PER", "I-PER"], "O", (), "O B-PER I-PER"),
    ],
)
def test_an_annotation_leaves_open_what_it_does_not_mark(
    labels: list[str], tag: str, annotated: tuple[str, ...] | None, expected: str
) -> None:
    allowed = allowed_labels(labels, tag, annotated)
    assert [label for label, is_open in zip(labels, allowed, strict=True) if is_open] == expected.split()


def test_every_piece_takes_the_tag_of_its_token(tiny: Callable[..., Path]) -> None:
    base = load_directory(tiny())
    sentence = TaggedSentence(("cats", "sing", "paris!"), ("B-PER", "O", "LOC"))
    (example,) = tagged_examples(base, [sentence], 32)
    found = [LABELS[int(row.argmax())] for row in example.target]
    assert base.tokenizer.convert_ids_to_tokens(list(example.window.input_ids)) == [
        "[CLS]", "cat", "##s", "sing", "paris", "!", "[SEP]",
    ]  # fmt: skip
    assert found == ["PER", "PER", "O", "LOC", "LOC"]
    assert (example.target.sum(axis=1) == 1).all()


def test_a_space_that_a_tokenizer_counts_to_the_word_after_it_changes_no_tag(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = load_directory(tiny())
    sentence = TaggedSentence(("john", "sat", "on", "paris"), ("PER", "O", "O", "LOC"))
    (expected,) = tagged_examples(base, [sentence], 32)
    encoded = base.encode([sentence.text], 32)
    with_spaces = [replace(e, pieces=tuple(replace(p, start=max(0, p.start - 1)) for p in e.pieces)) for e in encoded]
    monkeypatch.setattr(LoadedModel, "encode", lambda *_: with_spaces)
    (found,) = tagged_examples(base, [sentence], 32)
    assert np.array_equal(found.target, expected.target)


def test_only_the_first_word_of_a_token_begins_an_entity(tiny: Callable[..., Path]) -> None:
    labels = ["O", "B-PER", "I-PER"]
    base = load_directory(tiny(entity_labels=labels))
    sentence = TaggedSentence(("johns!john", "paris", "sat"), ("B-PER", "I-PER", "O"))
    (example,) = tagged_examples(base, [sentence], 32)
    assert base.tokenizer.convert_ids_to_tokens(list(example.window.input_ids))[1:-1] == [
        "john", "##s", "!", "john", "paris", "sat",
    ]  # fmt: skip
    assert [labels[int(row.argmax())] for row in example.target] == ["B-PER", "B-PER", "I-PER", "I-PER", "I-PER", "O"]


def test_all_windows_are_learned_and_each_piece_once(tiny: Callable[..., Path]) -> None:
    base = load_directory(tiny())
    tags = tuple("B-PER" if n == 35 else "O" for n in range(40))
    sentence = TaggedSentence(("cat",) * 40, tags)
    examples = tagged_examples(base, [sentence], 10)
    assert len(examples) == len(base.encode([sentence.text], 10)[0].windows) > 1
    assert sum(example.n_targets for example in examples) == 40
    assert [example.learned.stop - example.learned.start for example in examples] == [len(e.target) for e in examples]
    learned = [LABELS[int(row.argmax())] for example in examples for row in example.target]
    assert learned == ["PER" if tag != "O" else tag for tag in tags]
    for example in examples:
        content = example.window.content
        assert content.start <= example.learned.start < example.learned.stop <= content.stop
        assert example.text == " ".join(["cat"] * example.window.n_pieces)


def test_what_no_window_can_hold_is_counted(tiny: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    base = load_directory(tiny())
    tagged_examples(base, [TaggedSentence(("cat", "\N{WORD JOINER}"), ("O", "PER"))], 10)
    assert caplog.messages == ["Note: 1 tagged tokens have no word piece and are not learned."]
    caplog.clear()
    labelled_examples(base, [LabelledSentence("cat " * 40, "positive"), LabelledSentence("cat", "positive")], 10)
    assert caplog.messages == [
        "Note: 1 of 2 sentences with a class have more than 10 word pieces; what lies beyond is not read for it."
    ]


def test_classes_become_indices_and_unknown_ones_are_named(tiny: Callable[..., Path]) -> None:
    base = load_directory(tiny())
    (example,) = labelled_examples(base, [LabelledSentence("the cat", "positive")], 32)
    assert example.target == 2
    with pytest.raises(DataFileError, match="'angry'"):
        labelled_examples(base, [LabelledSentence("the cat", "angry")], 32)


def test_an_incomplete_annotation_opens_the_rows_that_it_says_nothing_about(tiny: Callable[..., Path]) -> None:
    base = load_directory(tiny())
    (example,) = tagged_examples(base, [TaggedSentence(("john", "sat"), ("PER", "O"), ("PER", "ORG", "LOC"))], 32)
    assert np.array_equal(example.target, [[0, 1, 0, 0, 0], [1, 0, 0, 0, 1]])
