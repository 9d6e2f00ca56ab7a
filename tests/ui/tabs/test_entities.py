from mtdemo.ui.components.sentence_box import MAX_ROWS
from mtdemo.ui.tabs.entities import (
    ALL,
    count_names,
    filter_entities,
    highlight,
    introduce,
    list_sentences,
    reset_filter,
    show_entities,
)
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
    assert len(table) == MAX_ROWS < 150
    assert "first 100 of 150" in note
    assert highlight([]) == []


def test_names_are_counted_and_filtered(fake: FakeService) -> None:
    text = "Ada met Bob\nAda left\nnobody"
    names = count_names(fake.analyze(text.split("\n")))
    assert names.values.tolist() == [["Ada", "PER", 2, 0.75, 2, 1], ["Bob", "PER", 1, 0.75, 1, 1]]
    table, names = filter_entities(fake, text, None, "PER", 0.7)
    assert (len(table.value["data"]), len(names.value["data"])) == (3, 2)
    for wanted, least in (("ORG", 0.0), (ALL, 0.8)):
        assert not any(each.visible for each in filter_entities(fake, text, None, wanted, least))
    types, least, names, chosen, table = reset_filter(fake, text, None)
    assert (types.choices, least, chosen) == ([("all", "all"), ("PER", "PER")], 0, "")
    assert len(names.value["data"]) == 2 and table.visible
    assert not any(each.visible for each in reset_filter(fake, "nobody", None)[2::2])


def test_a_name_lists_its_sentences_as_text(fake: FakeService) -> None:
    markup = list_sentences(fake, "Ada <b>met Bob\nAda left\nnobody", None, "Ada", "PER")
    assert markup.count("<li") == 2 and "&lt;b&gt;" in markup and "<b>met" not in markup
    assert list_sentences(fake, "Ada left", None, "Eve", "PER") == ""


def test_what_an_untrained_head_guesses_is_left_out(untrained: FakeService) -> None:
    note, pieces, table = show_entities(untrained, "Ada met Bob", None)
    assert note.startswith("**Untrained head.**") and pieces == [("Ada met Bob", None)] and table.empty
    assert "PER" not in introduce(untrained, None)[0]
    assert not any(each.visible for each in filter_entities(untrained, "Ada", None, ALL, 0.0))
