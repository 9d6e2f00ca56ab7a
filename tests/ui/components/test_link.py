import pytest

from mtdemo.ui.components.link import Question, read_query, write_query

TABS = ("answers", "entities")


@pytest.mark.parametrize("text", ["One.\nTwo & three?", "a=b&q=c#d", "Zoë ☂", "100 % + 1"])
def test_a_link_brings_back_its_question(text: str) -> None:
    from urllib.parse import parse_qsl

    query = dict(parse_qsl(write_query(text, "bert-base-uncased") + "&tab=entities"))
    assert read_query(query, TABS, hub_models=True) == Question(text, "bert-base-uncased", "entities")


def test_what_a_link_cannot_mean_is_left_out() -> None:
    query = {"q": "", "model": "../../etc/passwd", "tab": "nowhere", "__theme": "dark"}
    assert read_query(query, TABS, hub_models=True) == Question()
    assert read_query({"q": "a", "model": "bert-base-uncased"}, TABS, hub_models=False) == Question("a")
