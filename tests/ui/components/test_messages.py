from pathlib import Path

from mtdemo.models.parts import find_task
from mtdemo.ui.components.messages import describe_answer, numbered, shorten
from mtdemo.ui.tabs.classification import show_classes
from mtdemo.ui.tabs.entities import show_entities
from mtdemo.ui.tabs.similarity import show_embeddings
from tests.ui.conftest import FakeService, analyse


def test_truncation_is_always_told_except_for_entities(fake: FakeService) -> None:
    one = fake.analyze(["long text", "short"])
    assert "sentence 1 has 4 word pieces" in describe_answer(one)
    assert "the other 7 were not read" in describe_answer(one)
    assert "Its class comes" in describe_answer(one, find_task("classification"))
    assert "Cut" not in describe_answer(one, find_task("ner"))
    assert "9 sentences were too long" in describe_answer(fake.analyze(["long"] * 9))


def test_text_is_shortened_for_labels_that_stay_different() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
    assert numbered([analyse("same"), analyse("same")], 10) == ["1. same", "2. same"]


def test_untrained_heads_are_called_so_where_they_speak(untrained: FakeService, tmp_path: Path) -> None:
    assert show_classes(untrained, "x", None)[0].startswith("**Untrained head.**")
    assert "**Untrained head.**" in show_entities(untrained, "x", None)[0]
    note = show_embeddings(untrained, str(tmp_path), "x\ny", None)[0]
    assert "Untrained head." not in note, "an embedding needs no head"
    assert "class head **untrained**" in note
