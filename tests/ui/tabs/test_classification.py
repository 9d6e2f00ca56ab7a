from dataclasses import replace

import pytest

from mtdemo.results import Analysis
from mtdemo.ui.tabs.classification import ALL, ORDERS, filter_classes, reset_filter, show_classes
from tests.ui.conftest import INFO, FakeService, analyse


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


def test_a_filter_keeps_class_and_range_and_orders(fake: FakeService) -> None:
    text = "one\ntwo\nthree"
    assert len(filter_classes(fake, text, None, ALL, 0, 1, "as given")) == 3
    assert filter_classes(fake, text, None, "no", 0, 1, "as given").empty
    assert filter_classes(fake, text, None, ALL, 0.8, 1, "as given").empty
    assert reset_filter(fake, text, None)[0].choices == [("all", "all"), ("no", "no"), ("yes", "yes")]


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_by_confidence_and_keeps_every_row(order: str) -> None:
    class Unlike(FakeService):
        def analyze(self, sentences, model=None, *_: object, **__: object) -> Analysis:  # type: ignore[no-untyped-def]
            rows = [replace(analyse(s), probabilities={"no": 1 - float(s), "yes": float(s)}) for s in sentences]
            return Analysis(INFO, tuple(rows))

    table = filter_classes(Unlike(), "0.6\n0.9\n0.7\n0.2", None, ALL, 0, 1, order)
    expected = {"as given": "0.6 0.9 0.7 0.2", "least sure first": "0.6 0.7 0.2 0.9", "most sure first": "0.9 0.2 0.7 0.6"}
    assert " ".join(table["sentence"]) == expected[order]
    assert table["margin"].between(0.19, 0.81).all() and table["entropy"].between(0, 1).all()
