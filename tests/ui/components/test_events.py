import gradio as gr
import pytest

from mtdemo.ui.tabs.entities import show_entities
from tests.ui.conftest import FakeService


def test_errors_of_limits_reach_the_person_and_bugs_stay_bugs(fake: FakeService) -> None:
    with pytest.raises(gr.Error, match="50,000 sentences were given; at most 10,000"):
        show_entities(fake, "a\n" * 50_000, None)
    with pytest.raises(gr.Error, match="3,000,000 characters"):
        show_entities(fake, "x" * 3_000_000, None)
    with pytest.raises(AttributeError):
        show_entities(None, "a", None)  # type: ignore[arg-type]
