from mtdemo.models.parts import find_task
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.messages import describe_answer, describe_model, numbered, shorten
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


def test_unknown_pieces_are_told_under_every_answer(fake: FakeService) -> None:
    partly = fake.analyze(["a b c d é", "plain", "one two é three é four five"])
    for task in (None, find_task("classification"), find_task("ner")):
        note = describe_answer(partly, task)
        assert "**Unknown:** 2 sentences (1, 3): 3 word pieces are not in the model's vocabulary" in note
        assert "Hardly readable" not in note
    assert "**Unknown:** sentence 1: 1 word piece is not" in describe_answer(fake.analyze(["a b c d é"]))
    assert "nknown" not in describe_answer(fake.analyze(["plain"]))


def test_text_of_unknown_pieces_gets_a_sentence_and_no_chart(fake: FakeService) -> None:
    note, bars, table = show_classes(fake, "é", None)
    assert "**Hardly readable:** sentence 1. A third or more of the word pieces are unknown" in note
    assert (bars.visible, table.visible) == (False, True)
    assert table.value["data"][0][-1] == 1
    note, _, table = show_classes(fake, "é\nplain\né", None)
    assert "**Hardly readable:** 2 sentences (1, 3)." in note


def test_text_is_shortened_for_labels_that_stay_different() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
    assert numbered([analyse("same"), analyse("same")], 10) == ["1. same", "2. same"]


def test_untrained_heads_are_called_so_where_they_speak(untrained: FakeService) -> None:
    assert show_classes(untrained, "x", None)[0].startswith("**Untrained head.**")
    assert "**Untrained head.**" in show_entities(untrained, "x", None)[0]
    note = show_embeddings(VectorService(untrained), "x\ny", None)[0]
    assert "Untrained" not in note, "an embedding needs no head"
    assert "class head **untrained**" in describe_model(untrained.info)
