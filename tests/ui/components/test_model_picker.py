import re
import time
from dataclasses import replace
from pathlib import Path

import gradio as gr

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings
from mtdemo.results import ModelInfo
from mtdemo.ui.components.model_picker import (
    OTHER,
    TOGETHER,
    describe_badge,
    describe_reading,
    list_choices,
    read_card,
    show_expectation,
    use_model,
)
from mtdemo.ui.loading import watch_loading
from tests.ui.conftest import INFO, Broken, FakeService, Slow, all_of

NONE = ("", "", "")


def test_expectations_come_before_loading(fake: FakeService) -> None:
    assert "untrained" in show_expectation(fake, "bert-base-uncased")[0]
    text, field, parts = show_expectation(fake, OTHER)
    assert not parts.visible
    assert "hub works by its id" in text
    assert field.visible


def test_only_what_may_be_loaded_can_be_chosen(fake: FakeService) -> None:
    def ids(**changes: object) -> list[str]:
        fake.settings = Settings(**changes)
        return [name for _, name in list_choices(fake)]

    known = ["embedded", "bert-base-uncased", "bert-large-uncased"]
    assert ids() == [*known, OTHER, TOGETHER]
    assert ids(allowed_models="known") == known
    assert ids(allowed_models="known, owner/name", model="mine") == [*known, "mine", "owner/name"]
    assert ids(allowed_models="owner/name") == ["embedded", "owner/name"]


def test_a_choice_is_for_this_visitor(fake: FakeService) -> None:
    (waiting, _), (chosen, status) = all_of(use_model(fake, "bert-base-uncased", "", *NONE, None))
    assert (waiting, chosen) == (gr.skip(), "bert-base-uncased")
    assert "`bert-base-uncased`" in status


def test_a_load_says_how_long_it_has_taken() -> None:
    class Late(FakeService):
        def load(self, model: str | None = None) -> ModelInfo:
            time.sleep(1.2)
            return super().load(model)

    first, second, last = (status for _, status in all_of(use_model(Late(), "bert-base-uncased", "", *NONE, None)))
    assert "so far" not in first and "1 s so far" in second and last.startswith("**Ready.**")


def test_an_id_is_taken_from_the_field(fake: FakeService) -> None:
    assert all_of(use_model(fake, OTHER, "  owner/name ", *NONE, None))[-1][0] == "owner/name"


def test_three_models_are_put_together_from_three_fields(fake: FakeService) -> None:
    text, field, parts = show_expectation(fake, TOGETHER)
    assert "read once by each **different** model" in text
    assert (field.visible, parts.visible) == (False, True)
    assert (
        all_of(use_model(fake, TOGETHER, "x", " embedded", "owner/name", "", None))[-1][0] == "embedded+owner/name+embedded"
    )


def test_the_badge_and_the_status_name_what_was_put_together() -> None:
    together = FakeService(replace(INFO, id="a+b+a", sources=("a", "b", "a")))
    assert describe_badge(together, None) == "put together · 2 passes a sentence"
    status = all_of(watch_loading(together))[-1]
    assert "Put together: embedding from a, classes from b, entities from a; 2 passes a sentence" in status


def test_after_a_failure_the_model_in_use_stays_in_use(fake: FakeService) -> None:
    told = all_of(use_model(fake, OTHER, "missing", *NONE, "mine"))
    assert [choice for choice, _ in told] == [gr.skip()] * 2, "which may be another one by then"
    status = told[-1][1]
    assert "**The model in use stays in use.** **Ready.** `fake`" in status
    assert status.startswith("> ") and not re.search(r"<\w", status)


def test_a_failure_while_no_model_is_there_is_told_too() -> None:
    assert "no public model" in all_of(use_model(Broken(), OTHER, "missing", *NONE, None))[-1][1]


def test_the_badge_names_the_model_that_answers(fake: FakeService) -> None:
    assert describe_badge(fake, None) == "fake · bert · 2 layers"
    assert describe_badge(Slow(), None) == "No model yet"
    assert "first 128 word pieces" in describe_reading(fake)


def test_no_id_says_what_to_write(fake: FakeService) -> None:
    assert "No model id was given" in all_of(use_model(fake, OTHER, " ", *NONE, None))[-1][1]


def test_the_model_card_is_shown_without_its_front_matter(tmp_path: Path) -> None:
    quality, making = read_card(EMBEDDED_CHECKPOINT)
    assert quality.startswith("One BERT-shaped encoder")
    headings = [[line for line in part.splitlines() if line.startswith("### ")] for part in (quality, making)]
    assert headings[0] == ["### How good it is", "### What it is bad at"], "quality and limits come first"
    assert headings[1].index("### How it was made") < headings[1].index("### Data and licences")
    assert "**backbone**" in making
    assert read_card(tmp_path) == ("", "")
    (tmp_path / "README.md").write_text("no front matter")
    assert read_card(tmp_path) == ("no front matter", "")
