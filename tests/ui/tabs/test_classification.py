from mtdemo.ui.tabs.classification import show_classes
from tests.ui.conftest import FakeService


def test_the_visitors_model_is_the_one_that_is_asked(fake: FakeService) -> None:
    show_classes(fake, "one", "owner/name")
    assert fake.asked[-1][1] == "owner/name"


def test_one_sentence_has_bars_and_many_have_a_table(fake: FakeService) -> None:
    _, bars, table = show_classes(fake, "one", None)
    assert bars.value["label"] == "yes"
    assert (bars.visible, table.visible) == (True, False)
    _, bars, table = show_classes(fake, "one\ntwo", None)
    assert (bars.visible, table.visible) == (False, True)
    columns = table.value["headers"]
    assert len(set(columns)) == len(columns) and "P(yes)" in columns
