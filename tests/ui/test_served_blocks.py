"""Sessions of the page: described once, changed each for itself."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from mtdemo.planning.planner import Planner
from mtdemo.ui.page import build_page
from mtdemo.ui.served_blocks import OpenEvents, ServedBlocks
from tests.asynchrony import run_async
from tests.ui.conftest import FakeService


@pytest.fixture
def page(fake: FakeService, planner: Planner) -> gr.Blocks:
    page = build_page(fake, planner)
    page.is_running = True
    return page


def test_a_session_has_the_configuration_that_gradio_gives_it(page: gr.Blocks) -> None:
    first, second = SessionState(page).config_values, SessionState(page).config_values
    page.is_running = False
    assert {key: one.whole() for key, one in first.items()} == SessionState(page).config_values
    assert all("props" in one for one in second.values())
    assert not any(map(len, second.values())), "nothing is copied before it is changed"
    assert len(first) > 100


def test_a_session_that_waits_for_nothing_leaves_and_one_that_waits_stays() -> None:
    messages = {name: name for name in "abcde"}
    events = OpenEvents(messages, most=3)
    for name, its in (("a", {"1"}), ("b", set()), ("c", {"2"}), ("d", set())):
        events[name] = its
    assert events == {"a": {"1"}, "c": {"2"}, "d": set()}
    assert sorted(messages) == ["a", "c", "d", "e"]
    del messages["a"]  # as gradio drops the oldest of too many
    events["e"] = set()
    assert sorted(events) == ["c", "e"]


def test_what_is_changed_in_one_session_is_not_changed_in_another(page: gr.Blocks) -> None:
    sentences = next(key for key, block in page.blocks.items() if getattr(block, "elem_id", None) == "sentences")
    mine, others = SessionState(page), SessionState(page)
    before = others.config_values[sentences]["props"]["value"]
    mine._update_value_in_config(sentences, "mine alone")
    mine[sentences] = gr.Textbox("changed", label="Mine", render=False)
    mine._update_config(sentences)
    assert mine.config_values[sentences]["props"]["label"] == "Mine"
    for state in (others, SessionState(page)):
        assert state.config_values[sentences]["props"]["value"] == before
        assert state.blocks_config.blocks[sentences] is page.blocks[sentences]


@pytest.mark.parametrize(
    ("component", "value"),
    [
        (lambda: gr.Radio(["a"]), "<img src=x>"),
        (lambda: gr.Number(minimum=0), -1),
        (lambda: gr.Number(precision=0), float("inf")),
        (lambda: gr.CheckboxGroup(["a"]), [["a"]]),
        (gr.File, {"path": "/etc/passwd"}),
    ],
)
def test_a_value_that_a_component_cannot_hold_is_one_message(component: Any, value: Any) -> None:
    with ServedBlocks() as page:
        held = component()
        gr.Button().click(lambda given: given, held, held)
    function = next(iter(page.fns.values()))
    with pytest.raises(gr.Error) as error:
        run_async(page.preprocess_data(function, [value], None))
    assert not error.value.print_exception
    assert "<img" not in str(error.value)


def test_events_that_show_no_progress_tell_of_it_in_one_small_place(page: gr.Blocks) -> None:
    quiet = [event for event in page.fns.values() if event.show_progress == "hidden"]
    (place,) = {component for event in quiet for component in event.show_progress_on}
    assert len(quiet) > 20 and isinstance(place, gr.HTML)
