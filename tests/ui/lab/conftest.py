"""The forms of the laboratory: what a person says there by name, and what is shown, by name."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import fields as fields_of
from functools import partial
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from mtdemo.config import Settings
from mtdemo.laboratory.dataset import read_dataset
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.planner import Planner
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.serving.service import ModelService
from mtdemo.ui.lab.plan_changes import fill_file, fill_scenario, keep_all
from mtdemo.ui.lab.plan_controls import add_plan_choice, add_plan_controls
from mtdemo.ui.lab.plan_tab import Fill, change_plan, load_plan
from mtdemo.ui.lab.plan_view import add_plan_view
from mtdemo.ui.lab.question_panel import add_question_panel
from mtdemo.ui.lab.run_actions import Bench, train
from mtdemo.ui.lab.run_controls import add_run_controls
from mtdemo.ui.lab.run_view import add_run_view


def by_name(components: Any, updates: dict[Component, Any]) -> dict[str, Any]:
    """Updates by the names that a dataclass of components has for them; what stays as it is is left out."""
    names = {getattr(components, field.name): field.name for field in fields_of(components)}
    return {names[component]: value for component, value in updates.items()}


class PlanForm:
    """A visit to the planning tab, without a browser: controls keep what they are told, and are told what is filled."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        with gr.Blocks():
            backbone, scenario, state, reset = add_plan_choice()
            self.controls, self.view = add_plan_controls(backbone, scenario, reset), add_plan_view(state)
            self.upload = gr.UploadButton()
        self.values = {control: control.value for control in self.controls.inputs}
        self.properties: dict[Component, dict[str, Any]] = {}
        self.answered: dict[Component, Any] = {}
        self.change(fill_scenario)

    def change(self, fill: Fill = keep_all, moved: str | None = None, **said: Any) -> PlanForm:
        """Say something by hand, and let the page answer."""
        fields = {field.name: getattr(self.controls, field.name) for field in fields_of(self.controls)}
        fields |= {**self.controls.rates, "backbone_": self.controls.backbone}  # `backbone` is its rate, as in an error
        self.values |= {fields[name]: value for name, value in said.items()}
        still = fields[moved] if moved else None
        self.answered = change_plan(self.planner, self.controls, self.view, fill, still, dict(self.values))
        self._hear()
        return self

    def load(self, path: str) -> PlanForm:
        """Load a saved plan."""
        fill = partial(fill_file, upload=self.upload)
        values = {**self.values, self.upload: path}
        self.answered = load_plan(self.planner, self.controls, self.view, fill, values)
        self._hear()
        return self

    def lock(self, *names: str) -> PlanForm:
        """Click on parts of the stack, one after the other."""
        for name in names:
            trains = self.trains
            self.change(stack=[*trains, name] if name not in trains else [other for other in trains if other != name])
        return self

    @property
    def trains(self) -> list[str]:
        return list(self.values[self.controls.stack])

    @property
    def plan(self) -> TrainingPlan:
        return TrainingPlan.from_dict(json.loads(self.shown("saved")))

    def shown(self, name: str) -> str:
        """What a part of the view shows."""
        return str(self.values[getattr(self.view, name)])

    def told(self, name: str, what: str) -> Any:
        """What a control of the plan was told last, such as its `info`; None for nothing."""
        control = {**self.controls.rates, **self.controls.fields, "reset": self.controls.reset}[name]
        return self.properties.get(control, {}).get(what)

    @property
    def drawing(self) -> str:
        return str(self.properties[self.controls.stack]["drawing"])

    def _hear(self) -> None:
        assert set(self.answered) <= self.controls.outputs | self.view.outputs
        for component, update in self.answered.items():
            if isinstance(update, dict) and update.get("__type__") == "update":
                self.properties.setdefault(component, {}).update(update)
                if "value" in update:
                    self.values[component] = update["value"]
            else:
                self.values[component] = update


def cells(table: str) -> list[list[str]]:
    """The cells of a table that was written as HTML, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [[html.unescape(re.sub(r"<.*?>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


@pytest.fixture
def form(planner: Planner) -> PlanForm:
    return PlanForm(planner)


class RunForm:
    """The controls of a run, the experiments, and what shows runs."""

    def __init__(self, laboratory: Laboratory | None = None, service: ModelService | None = None) -> None:
        service = service or ModelService(Settings())
        with gr.Blocks():
            self.controls = add_run_controls(gr.State("ada"), gr.State("page"), gr.Radio(value="embedded"), gr.Code())
            self.view = add_run_view()
            self.bench = Bench(
                service,
                Planner(Settings().checkpoint),
                laboratory or Laboratory(service),
                self.controls,
                add_question_panel(read_dataset()),
                self.view,
                gr.Button(),
                gr.Button(),
                gr.HTML(),
                gr.Textbox(),
            )

    def values(self, **said: Any) -> dict[Component, Any]:
        """What the controls say: their defaults, but for what is said here."""
        values = {control: control.value for control in self.controls.inputs | {self.view.by}}
        return values | {getattr(self.controls, name): value for name, value in said.items()}

    def train(self, **said: Any) -> Iterator[dict[str, Any]]:
        """What the page shows of a run, by name."""
        for updates in train(self.bench, self.values(**said)):
            assert set(updates) <= self.view.outputs | {self.bench.kept}
            yield self.by_name(updates)

    def by_name(self, updates: dict[Component, Any]) -> dict[str, Any]:
        """Updates of the view by name, and those of the browser as `kept`."""
        of_view = {component: value for component, value in updates.items() if component is not self.bench.kept}
        kept = {"kept": updates[self.bench.kept]} if self.bench.kept in updates else {}
        return {**by_name(self.view, of_view), **kept}
