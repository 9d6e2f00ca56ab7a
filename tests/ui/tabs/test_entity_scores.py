from __future__ import annotations

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.data.records import make_tagged
from mtdemo.ui.tabs.entity_scores import list_errors, show_entity_scores
from tests.ui.conftest import FakeService

ROWS = (
    make_tagged(("Ada", "met", "Bob"), ("B-PER", "O", "B-PER")),
    make_tagged(("Rome", "fell"), ("B-LOC", "O")),
    make_tagged(("it", "rains"), ("O", "O")),
    make_tagged(("Today", "it", "rains"), ("O", "O", "O")),
    make_tagged(("the", "bank"), ("O", "B-ORG")),
)
FILE = LoadedFile(
    "a.conll", tuple(row.text for row in ROWS), ("text",), tuple((row.text,) for row in ROWS), "text", tagged=ROWS
)
TEXT = "\n".join(FILE.texts)


def test_scores_and_errors_stand_beside_their_sentences(fake: FakeService) -> None:
    invitation, part, note, by_type, kind, errors = show_entity_scores(fake, TEXT, None, FILE)
    assert (invitation.visible, part.visible) == (False, True)
    assert "F1 **0.500" in note and "4 entities in 5 sentences" in note and "Fewer than 30" in note
    assert by_type["type"].tolist() == ["LOC", "ORG", "PER", "all"]
    assert by_type["entities in the file"].tolist() == [1, 1, 2, 4]
    assert [cell[:5] for cell in by_type["recall"]] == ["0.000", "0.000", "1.000", "0.500"]
    assert by_type["F1"].iloc[-1] in note
    assert [label for label, _ in kind.choices] == [
        "all (3)", "missed (1)", "spurious (1)", "boundary (0)", "type (1)", "boundary and type (0)",
    ]  # fmt: skip
    assert errors.value["data"] == [
        [2, "type", "Rome (LOC)", "Rome (PER)", "Rome fell"],
        [4, "spurious", "–", "Today (PER)", "Today it rains"],
        [5, "missed", "bank (ORG)", "–", "the bank"],
    ]


def test_errors_of_one_kind(fake: FakeService) -> None:
    assert [row[-1] for row in list_errors(fake, TEXT, None, FILE, "missed").value["data"]] == ["the bank"]
    assert len(list_errors(fake, TEXT, None, FILE, "all").value["data"]) == 3
    assert not list_errors(fake, TEXT, None, FILE, "boundary").visible, "an empty table is hidden"


def test_without_tags_there_is_an_invitation(fake: FakeService) -> None:
    invitation, part, *_ = show_entity_scores(fake, TEXT, None, None)
    assert (invitation.visible, part.visible) == (True, False)
