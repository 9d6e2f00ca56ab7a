import numpy as np
import pytest

from mtdemo.analysis.explanation.change import Change, compare_versions
from mtdemo.results import Entity, SentenceAnalysis


def version(text: str, yes: float = 0.75, **labels: str) -> SentenceAnalysis:
    """A sentence in which the given words are entities."""
    entities = [Entity(word, label, 0.9, text.index(word), text.index(word) + len(word)) for word, label in labels.items()]
    vector = np.array([1, yes], dtype=np.float32)
    return SentenceAnalysis(text, 5, 0, 0, vector, {"no": 1 - yes, "yes": yes}, tuple(entities))


def kinds(change: Change) -> list[tuple[str, str | None, str | None]]:
    return [(one.kind, one.before and one.before.text, one.after and one.after.text) for one in change.entities]


def test_a_sentence_against_itself_has_no_change() -> None:
    one = version("Ada met Bob.", Ada="PER", Bob="PER")
    change = compare_versions(one, one)
    assert change.cosine == pytest.approx(1)
    assert not change.changes_class and not change.changes_entities
    assert kinds(change) == [("kept", "Ada", "Ada"), ("kept", "Bob", "Bob")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (version("Ada met Bob.", Ada="PER"), version("Yesterday Ada met Bob.", Ada="PER"), [("kept", "Ada", "Ada")]),
        (version("Ada met Bob.", Ada="PER"), version("ada met bob.", ada="PER"), [("kept", "Ada", "ada")]),
        (version("Ada met Bob.", Ada="PER"), version("Eve met Bob.", Eve="PER"), [("kept", "Ada", "Eve")]),
        (version("Ada met Bob.", Ada="PER"), version("Eve met Bob.", Eve="ORG"), [("changed", "Ada", "Eve")]),
        (version("Ada met Bob.", Ada="PER"), version("Ada met Bob."), [("lost", "Ada", None)]),
        (version("Ada met Bob."), version("Ada met Bob.", Bob="PER"), [("new", None, "Bob")]),
        (version("Ada left.", Ada="PER"), version("It rains."), [("lost", "Ada", None)]),
        (
            version("Ada met Bob.", Ada="PER", Bob="PER"),
            version("Bob met Ada.", Ada="PER", Bob="PER"),
            [("lost", "Bob", None), ("new", None, "Bob"), ("kept", "Ada", "Ada")],
        ),
    ],
)
def test_entities_are_followed_through_the_change(
    before: SentenceAnalysis, after: SentenceAnalysis, expected: list[tuple[str, str | None, str | None]]
) -> None:
    assert kinds(compare_versions(before, after)) == expected


def test_what_changed_most_stands_first() -> None:
    change = compare_versions(version("a b", 0.75), version("a c", 0.25))
    assert change.changes_class
    assert change.class_changes[0][1:] in {(0.75, 0.25), (0.25, 0.75)}
    lost = compare_versions(version("Ada met Bob", Ada="PER", Bob="PER"), version("Ada met him", Ada="PER"))
    assert [entity.kind for entity in lost.entities] == ["lost", "kept"]
    assert set(change.as_dict()) == {
        "before", "after", "cosine", "label_before", "label_after", "changes_class", "changes_entities", "classes",
        "entities",
    }  # fmt: skip
