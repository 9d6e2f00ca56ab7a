"""The controls of a run, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.config import EMBEDDED
from mtdemo.errors import MtdemoError, PlanError, TooMuchInputError
from mtdemo.laboratory.dataset import MAX_CHARACTERS, MAX_FILE_SENTENCES, LabDataset, check_labels, read_dataset
from mtdemo.laboratory.outcome import MAX_SENTENCES_PER_STEP, MAX_STEPS
from mtdemo.laboratory.verdict import MIN_TO_CONCLUDE
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.planning.planner import Planner
from mtdemo.planning.run_warnings import run_warnings
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import ModelInfo
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import Values
from mtdemo.ui.components.messages import as_plain_markdown, as_warnings
from mtdemo.ui.components.sentence_box import split_lines
from mtdemo.ui.lab.run_view import name_plan

_ALL_TASKS = "Both tasks"
TASK_WEIGHTS: dict[str, Any] = {  # of the losses, in the order of `LEARNED_TASKS`
    _ALL_TASKS: (1.0,) * len(LEARNED_TASKS),
    **{
        f"{task.title.capitalize()} only": tuple(float(other is task) for other in LEARNED_TASKS)
        for task in reversed(LEARNED_TASKS)
    },
}
SUFFIXES = [".jsonl", ".csv", ".conll", ".bio", ".iob", ".iob2", ".txt"]
MAX_OWN = 10  # sentences of a visitor's own that are compared
_OWN = "The Nobel Prize went to Marie Curie.\nThe service at Lufthansa was a nightmare."
_N_STEPS = 60
_ONLY_EMBEDDED = "Only the embedded model can be trained here; choose it as the backbone, or only plan."
_NO_PLAN = "There is no plan that can be trained: what is wrong with it stands beside its controls."
_FORMATS = """
| file | a line of it |
|---|---|
| `.jsonl`, classes | `{{"text": "What a day!", "label": "{label}"}}` |
| `.jsonl`, entities | `{{"tokens": ["Ada", "lives", "in", "Rome"], "tags": ["{person}", "O", "O", "{place}"]}}` |
| `.csv`, classes | `text,label` first, then `"What a day!",{label}` |
| `.conll`, `.bio`, `.iob`, `.iob2`, `.txt`, entities | `Rome B-{place}`, a blank line between sentences |
| `.txt`, both | `{label} \\| What a day in [Rome]({place})!` after a line `[train]`, and others after `[test]` |

A task that your file says nothing of keeps the project's sentences. A quarter of the sentences, drawn by lot but always the
same ones, is kept aside to measure on, unless the file says itself what is `[test]`. The file is read for your run; of it,
only sentences whose answer changed are kept with the run. The copy that was uploaded is deleted within two hours.
"""


@dataclass(frozen=True, slots=True)
class RunControls:
    """Components that say what to train and how.

    Attributes:
        visitor: whose run it is: a word that this browser keeps.
        session: the page that asks for it.
        backbone: what the plan is for; only the embedded model can be trained here.
        saved: the plan as JSON.
        described: says what the file holds.
        formats: says what a file may look like.
    """

    visitor: gr.State
    session: gr.State
    backbone: gr.Radio
    saved: gr.Code
    tasks: gr.Radio
    keep: gr.Number
    n_steps: gr.Number
    n_sentences: gr.Slider
    seed: gr.Number
    own: gr.Textbox
    file: gr.File
    described: gr.Markdown
    formats: gr.Markdown

    @property
    def checked(self) -> set[Component]:
        """Components that can contradict the plan, and the plan."""
        return {self.backbone, self.saved, self.tasks, self.n_steps, self.keep}

    @property
    def inputs(self) -> set[Component]:
        """Components that a run is made of."""
        return self.checked | {self.visitor, self.session, self.n_sentences, self.seed, self.own, self.file}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that a visitor asks for.

    Attributes:
        plan: what trains, and how fast.
        title: what to call the run.
        dataset: reads what it learns from, once the run has a place, for a large file takes seconds; None for
            the project's own.
        settings: fields of `ExperimentSettings`.
    """

    plan: TrainingPlan
    title: str
    dataset: Callable[[], LabDataset] | None
    settings: dict[str, Any]


def add_run_controls(visitor: gr.State, session: gr.State, backbone: gr.Radio, saved: gr.Code) -> RunControls:
    """Add the controls; those of the plan are given."""
    with gr.Row():
        tasks = gr.Radio(list(TASK_WEIGHTS), value=_ALL_TASKS, label="Learn", info="What the loss is made of.")
        about_keeping = "0: not at all. The loss gets this times 1 − cosine to before."
        keep = gr.Number(0, label="How strongly the embeddings are kept", info=about_keeping, minimum=0)
    with gr.Row():
        about_steps = f"1 to {MAX_STEPS:,}; 100 take seconds to minutes."
        n_steps = gr.Number(_N_STEPS, label="Steps", info=about_steps, precision=0)
        n_sentences = gr.Slider(
            4, MAX_SENTENCES_PER_STEP, value=16, step=4, label="Sentences per step", info="Shared by the two tasks."
        )
        seed = gr.Number(13, label="Seed", precision=0, minimum=0)
    own = gr.Textbox(_OWN, label=f"Your own sentences, before and after (at most {MAX_OWN})", lines=2, max_lines=6)
    with gr.Accordion("Learn your own labelled sentences instead", open=False):
        file = gr.File(label=f"At most {MAX_FILE_SENTENCES:,} sentences", file_types=SUFFIXES, height=160)
        described = gr.Markdown(elem_classes="note", visible=False)
        formats = gr.Markdown(describe_formats(None))
    of_data = (own, file, described, formats)
    return RunControls(visitor, session, backbone, saved, tasks, keep, n_steps, n_sentences, seed, *of_data)


def read_run(controls: RunControls, values: Values) -> RunRequest:
    """Read from the controls what to train, and how.

    Raises:
        PlanError, DataFileError, TooMuchInputError: as the message says.
    """
    if values[controls.backbone] != EMBEDDED:
        raise PlanError(_ONLY_EMBEDDED)
    if not values[controls.saved]:
        raise PlanError(_NO_PLAN)
    numbers = (values[controls.n_steps], values[controls.n_sentences], values[controls.seed])
    if None in numbers:
        raise PlanError("Steps, sentences per step and seed need a number each; one of these fields is empty.")
    n_steps, n_sentences, seed = map(int, numbers)
    plan = _read_plan(values[controls.saved])
    tasks, file = values[controls.tasks], values[controls.file]
    return RunRequest(
        plan,
        f"{name_plan(plan)}; {tasks.lower()}",
        partial(read_dataset, Path(file)) if file else None,
        {
            "n_steps": n_steps,
            "sentences_per_step": n_sentences,
            "seed": seed,
            "task_weights": TASK_WEIGHTS[tasks],
            "distillation_weight": float(values[controls.keep] or 0),
            "own_sentences": tuple(_own_sentences(values[controls.own])),
        },
    )


def _read_plan(text: str) -> TrainingPlan:
    """Read the plan that the page, or a program, sends."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError, too
        raise PlanError("The plan is no JSON that can be read. A change of its controls writes it anew.") from error
    return TrainingPlan.from_dict(values)


def _own_sentences(text: str) -> Sequence[str]:
    lines = split_lines(text)
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_CHARACTERS:
            reason = f"It has {len(line):,} characters; your own sentences may have up to {MAX_CHARACTERS:,}."
            raise TooMuchInputError(reason, number)
    if len(lines) > MAX_OWN:
        raise TooMuchInputError(f"{len(lines)} sentences of your own were given; at most {MAX_OWN} are compared.")
    return lines


def check_run(planner: Planner, controls: RunControls, values: Values) -> tuple[str, bool]:
    """Check whether a run can be made, and makes sense.

    An error of the plan itself is shown beside the plan.

    Returns:
        Warnings as HTML, and whether the run can be made.
    """
    if values[controls.backbone] != EMBEDDED:
        return as_warnings([_ONLY_EMBEDDED]), False
    if not values[controls.saved]:
        return as_warnings([_NO_PLAN]), False
    try:
        plan = _read_plan(values[controls.saved])
        freezing = planner.freezing(values[controls.backbone], plan)
    except MtdemoError as error:
        return as_warnings([str(error)]), False
    if not freezing.n_trainable:
        return as_warnings(["Nothing trains in this plan, so there is nothing to run. Let a part train."]), False
    n_steps = int(values[controls.n_steps] or _N_STEPS)
    weights, keep = TASK_WEIGHTS[values[controls.tasks]], float(values[controls.keep] or 0)
    return as_warnings(run_warnings(plan, freezing, n_steps, weights, keep)), True


def describe_file(service: ModelService, path: str | None) -> Any:
    """Say what a file teaches, or why it cannot."""
    if path is None:
        return gr.Markdown(visible=False)
    try:
        dataset, model = read_dataset(Path(path)), service.load(EMBEDDED)
        check_labels(dataset, model.class_labels, model.entity_types)
        n_fewest = min(len(dataset.tagged_heldout), len(dataset.labelled_heldout))
        few = f" **{n_fewest} are too few to conclude anything from a score**: {MIN_TO_CONCLUDE} are the least."
        words = f"Read: {dataset.phrase}.{few if n_fewest < MIN_TO_CONCLUDE else ''}"
    except MtdemoError as error:
        words = f"**This file cannot be used.** {as_plain_markdown(str(error))}"
    return gr.Markdown(words, visible=True)


def describe_formats(info: ModelInfo | None) -> str:
    """Show what a file may look like.

    Args:
        info: the model that learns from it, whose labels are shown; None while it is not known, which leaves placeholders.
    """
    if info is None:
        return _FORMATS.format(label="CLASS", person="TYPE", place="TYPE")
    types = info.entity_types
    return _FORMATS.format(label=info.class_labels[-1], person=types[0], place=types[min(2, len(types) - 1)])
