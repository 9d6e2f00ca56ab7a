"""The forms of the laboratory: what a person says there by name, and what is shown, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.planner import Planner
from mtdemo.ui.lab.plan_controls import add_plan_controls, load_plan
from mtdemo.ui.lab.plan_tab import show_plan
from mtdemo.ui.lab.plan_view import add_plan_view
from mtdemo.ui.lab.run_controls import add_run_controls
from mtdemo.ui.lab.run_panel import train
from mtdemo.ui.lab.run_view import add_run_view


def by_name(components: Any, updates: dict[Component, Any]) -> dict[str, Any]:
    """Updates by the names that a dataclass of components has for them; what stays as it is is left out."""
    names = {getattr(components, field.name): field.name for field in fields(components) if field.name != "head_rates"}
    return {names[component]: value for component, value in updates.items()}


class PlanForm:
    """The controls of a plan and its view."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        with gr.Blocks():
            self.controls, self.view = add_plan_controls(), add_plan_view()
            self.upload = gr.UploadButton()

    def values(self, *, head_rates: dict[str, float | None] | None = None, **said: Any) -> dict[Component, Any]:
        """What the controls say: their defaults, but for what is said here."""
        values = {control: control.value for control in self.controls.plan | self.controls.presets}
        values |= {self.controls.head_rates[head]: rate for head, rate in (head_rates or {}).items()}
        return values | {getattr(self.controls, name): value for name, value in said.items()}

    def plan(self, parts: list[str], **said: Any) -> SimpleNamespace:
        """What the page shows of a plan."""
        return self.show(self.values(parts=parts, **said))

    def show(self, values: dict[Component, Any]) -> SimpleNamespace:
        updates = show_plan(self.planner, self.controls, self.view, values)
        assert set(updates) == self.view.outputs, "nothing of another plan may be left"
        return SimpleNamespace(**by_name(self.view, updates))

    def refusal(self, parts: list[str], **said: Any) -> str:
        """What the page says of a plan that cannot be made; nothing of another plan may be left beside it."""
        shown = vars(self.plan(parts, **said))
        summary = str(shown.pop("summary"))
        assert shown == {"groups": None, "picture": None, "rates": None, "parts": None, "script": "", "saved": ""}
        assert "This plan cannot be made." in summary
        return summary

    def fill(self, callback: Any, **said: Any) -> dict[str, Any]:
        """What a preset fills, by name."""
        return by_name(self.controls, callback(self.planner, self.controls, self.values(**said)))

    def load(self, path: str) -> dict[Component, Any]:
        """What a saved plan fills."""
        return load_plan(self.planner, self.controls, self.upload, {**self.values(), self.upload: path})


@pytest.fixture
def form(planner: Planner) -> PlanForm:
    return PlanForm(planner)


class RunForm:
    """The controls of a run and its view."""

    def __init__(self, visitor: str = "ada") -> None:
        with gr.Blocks():
            self.controls = add_run_controls(gr.State(visitor), gr.Radio(value="embedded"), gr.Code())
            self.view = add_run_view()

    def values(self, **said: Any) -> dict[Component, Any]:
        """What the controls say: their defaults, but for what is said here."""
        values = {control: control.value for control in self.controls.inputs | {self.view.by}}
        return values | {getattr(self.controls, name): value for name, value in said.items()}

    def train(self, laboratory: Laboratory, **said: Any) -> Iterator[dict[str, Any]]:
        """What the page shows of a run, by name."""
        for updates in train(laboratory, self.controls, self.view, self.values(**said)):
            assert set(updates) <= self.view.outputs
            yield by_name(self.view, updates)
