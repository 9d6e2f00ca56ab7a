from mtdemo.ui.tabs.entities import highlight, show_entities
from tests.ui.conftest import FakeService


def test_spans_are_highlighted_and_joined_give_the_text(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "Ada met Charles\nnobody", None)
    assert "".join(text for text, _ in pieces) == "Ada met Charles\nnobody"
    assert [text for text, label in pieces if label] == ["Ada", "Charles"]
    assert table.to_dict("records")[1] == {
        "sentence": 1, "text": "Charles", "label": "PER", "score": 0.75, "start": 8, "end": 15,
    }  # fmt: skip
    assert note.startswith("**2 entities found.**")


def test_no_entity_is_said_and_is_no_error(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "nothing here", None)
    assert note.startswith("**No entity found.**")
    assert pieces == [("nothing here", None)]
    assert table.empty


def test_highlighting_is_limited_and_told(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "\n".join(["Ada"] * 150), None)
    assert sum(label is not None for _, label in pieces) == 100
    assert len(table) == 150
    assert "first 100 of 150" in note
    assert highlight([]) == []
