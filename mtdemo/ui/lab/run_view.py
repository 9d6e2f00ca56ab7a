"""A run as the page shows it: in words, tables, figures and a file."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import gradio as gr
import pandas as pd
from gradio.components import Component

from mtdemo.laboratory.outcome import Outcome, Snapshot, TaskDrift
from mtdemo.laboratory.run_queue import Run
from mtdemo.models.parts import HEAD_NAMES, LEARNED_TASKS, Task, part_title
from mtdemo.planning.scenarios import WEIGHTS, find_selection
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import SentenceAnalysis
from mtdemo.ui.charts.run import AXES, plot_history, plot_movement, plot_runs
from mtdemo.ui.components.events import Updates
from mtdemo.ui.components.messages import shorten

_WIDTHS: list[str | int] = ["34%", "26%", "40%"]
_RUN_WIDTHS: list[str | int] = ["52px", "300px", "112px", "120px", "92px", "130px", "130px"]
_NEARLY_ONE = 0.9999
_ENDINGS = {"done": "Done", "stopped": "Stopped", "out of time": "Out of time, so stopped"}
_MEASURES = (
    '<p class="explained">F1, 0 to 1, is high where what is found is right and little is missed; an entity is right when '
    "its type and both ends are. Macro-F1 is the mean of that over the classes, so that a rare one counts as much as a "
    "common one.</p>"
)


@dataclass(frozen=True, slots=True)
class RunView:
    """Components that show a run, or do something with it.

    Attributes:
        status, history: what is going on, in words and as a figure.
        result, moved, sentences: what a finished run did.
        finished: holds all that follows, hidden before the first run has ended.
        runs, by, compared: all runs of the visitor, as a table and as a figure.
        use, back, pack, download, report: what can be done with the last one.
    """

    status: gr.HTML
    history: gr.Plot
    result: gr.HTML
    moved: gr.Plot
    sentences: gr.Dataframe
    finished: gr.Column
    runs: gr.Dataframe
    by: gr.Radio
    compared: gr.Plot
    use: gr.Button
    back: gr.Button
    pack: gr.Button
    download: gr.DownloadButton
    report: gr.Code

    @property
    def outputs(self) -> set[Component]:
        """Components that a run changes."""
        shown = {self.status, self.history, self.result, self.moved, self.sentences, self.finished}
        return shown | {self.runs, self.compared, self.download, self.report}

    def show_beginning(self) -> Updates:
        """Say that a run begins; hide what another did."""
        return {
            self.status: "<p>Getting ready: a copy of the model, and what it says before.</p>",
            self.history: gr.Plot(visible=False),
            self.result: "",
            self.moved: gr.Plot(visible=False),
            self.sentences: gr.Dataframe(visible=False),
        }

    def show_history(self, seen: Sequence[Snapshot]) -> Updates:
        """Draw the losses and scores so far."""
        return {self.history: gr.Plot(plot_history(seen), visible=True)}

    def show_outcome(self, outcome: Outcome, seen: Sequence[Snapshot], runs: Sequence[Run], by: str) -> Updates:
        """Show a run that has ended, the last of `runs`."""
        last, run = seen[-1], runs[-1]
        return {
            self.status: (
                f"<p><b>{_ENDINGS[outcome.ending]}</b> after {last.n_done} of {last.n_steps} steps and "
                f"{last.seconds:.1f} s, of which the steps took {outcome.training_s:.1f} s. This is run {run.number}.</p>"
            ),
            **self.show_history(seen),
            self.result: describe_outcome(outcome, run.plan),
            self.moved: gr.Plot(plot_movement(outcome.movement), visible=True),
            self.sentences: gr.Dataframe(tabulate_sentences(outcome), visible=bool(outcome.own_before)),
            self.finished: gr.Column(visible=True),
            self.runs: tabulate_runs(runs),
            self.compared: plot_runs(runs, by),
            self.report: json.dumps({**run.report, "plan": run.plan.as_dict()}, indent=1),
            self.download: gr.DownloadButton(visible=False),
        }


def add_run_view() -> RunView:
    """Add the components, hidden until there is something to show."""
    status = gr.HTML(padding=False)
    history = gr.Plot(label="Loss and held-out scores by step", show_label=False, visible=False)
    result = gr.HTML(padding=False)
    moved = gr.Plot(label="How far each part moved", show_label=False, visible=False)
    table: dict[str, Any] = {"interactive": False, "wrap": True}
    sentences = gr.Dataframe(label="Your sentences before and after", visible=False, column_widths=_WIDTHS, **table)
    with gr.Column(visible=False) as finished:
        title = "Your runs of this visit (changed: share of the answers)"
        runs = gr.Dataframe(label=title, column_widths=_RUN_WIDTHS, **table)
        by = gr.Radio(list(AXES), value=next(iter(AXES)), label="Compare their scores by")
        compared = gr.Plot(label="Runs", show_label=False)
        with gr.Row():
            use = gr.Button("Use the trained copy in the other tabs")
            back = gr.Button("Use this page's model there again")
            pack = gr.Button("Pack the last run as a ZIP")
        download = gr.DownloadButton("Download", visible=False)
        with gr.Accordion("The last run as a file", open=False):
            report = gr.Code(label="run.json", language="json", interactive=False)
    shown = (status, history, result, moved, sentences, finished)
    return RunView(*shown, runs, by, compared, use, back, pack, download, report)


def describe_state(state: Snapshot) -> str:
    """Say how far a run is, as HTML."""
    left = "" if state.seconds_left is None else f", about {state.seconds_left:.0f} s left"
    losses = f" Loss: {html.escape(state.losses.phrase)}." if state.losses else ""
    rates = "; ".join(f"{html.escape(name)} {rate:.2g}" for name, rate in state.rates.items())
    return (
        f'<progress aria-label="Steps done" max="{state.n_steps}" value="{state.n_done}" style="width: 100%"></progress>'
        f"<p>Step {state.n_done} of {state.n_steps}{left}.{losses}<br>Learning rates now: {rates}.</p>"
    )


def describe_outcome(outcome: Outcome, plan: TrainingPlan) -> str:
    """Say what became of tasks and embeddings, as HTML."""
    moved = any(value for name, value in outcome.movement.items() if name not in HEAD_NAMES)
    drifts = {"entities": outcome.entities, "classes": outcome.classes}
    rows = [_describe_drift(task, drifts[task.title], outcome, plan, moved) for task in LEARNED_TASKS]
    before, after = outcome.snapshots[0].scores.output_f1, outcome.snapshots[-1].scores.output_f1
    if before is not None and after is not None:
        rows.append(f"<li>New output layer: macro-F1 {before:.3f} (untrained) → {after:.3f}.</li>")
    turned = f"mean cosine to before {outcome.embedding_cosine:.4f}"
    if moved and outcome.embedding_cosine > _NEARLY_ONE:
        turned += f", less than 1 by {max(0.0, 1 - outcome.embedding_cosine):.0e}"
    rows.append(f"<li>Sentence embeddings: {turned} (1 is unchanged).</li>")
    if outcome.reuse is not None:
        reuse = outcome.reuse
        rows.append(
            f"<li>The backbone was frozen, so hidden states were computed {reuse.n_computed:,} times, once for each "
            f"sentence while there is room, and taken from memory {reuse.n_reused:,} times: a step that computed some took "
            f"{1e3 * reuse.computing_s:.0f} ms, "
            f"one that computed none {1e3 * reuse.reusing_s:.0f} ms.</li>"
        )
    return f'<h3 class="heading">On the sentences kept aside</h3><ul class="facts">{"".join(rows)}</ul>{_MEASURES}'


def _describe_drift(task: Task, drift: TaskDrift, outcome: Outcome, plan: TrainingPlan, backbone_moved: bool) -> str:
    scores = f"{task.metric} {drift.score_before:.3f} → {drift.score_after:.3f}"
    words = f"{scores}; {drift.changed_fraction:.0%} of the answers changed"
    head_moved = outcome.movement[str(task.head)] != 0.0
    if not head_moved and backbone_moved and drift.changed_fraction:
        still = "was frozen" if task.head in plan.frozen else "did not learn in this run"
        words += f". <b>Its head {still} and its task drifted all the same</b>, since the backbone under it moved"
    elif drift.is_identical and not head_moved and not backbone_moved:
        words += ": neither its head nor the backbone moved, so every answer is the same, bit for bit"
    return f"<li>{task.title.capitalize()}: {words}.</li>"


def name_plan(plan: TrainingPlan) -> str:
    """Name a plan in a few words."""
    words = ["new output layer"] if plan.new_output_layer else []
    words += [find_selection(plan.selection).title] if plan.selection != WEIGHTS else []
    words += ["unfrozen gradually"] if plan.gradual else []
    frozen = ", ".join(_in_short(plan.frozen))
    return ", ".join([*words, f"frozen: {frozen}" if frozen else "no part frozen"])


def _in_short(names: Sequence[str]) -> Iterator[str]:
    """Title parts, neighbouring layers as one.

    `embeddings, layer_0, layer_1, ner_head -> embeddings, layers 1–2, entity head`
    """
    for is_layer, group in groupby(names, lambda name: name.startswith("layer_")):
        titles = [part_title(name) for name in group]
        if is_layer and len(titles) > 1 and _follow_one_another(titles):
            yield f"layers {titles[0].split()[1]}–{titles[-1].split()[1]}"
        else:
            yield from titles


def _follow_one_another(titles: Sequence[str]) -> bool:
    numbers = [int(title.split()[1]) for title in titles]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def tabulate_sentences(outcome: Outcome) -> pd.DataFrame:
    """Tabulate the person's sentences before and after."""
    rows = [
        (shorten(a.text, 80), _change(_class(a), _class(b)), _change(_entities(a), _entities(b)))
        for a, b in zip(outcome.own_before, outcome.own_after, strict=True)
    ]
    return pd.DataFrame(rows, columns=["sentence", "class, before → after", "entities, before → after"])


def tabulate_runs(runs: Sequence[Run]) -> pd.DataFrame:
    """Tabulate runs: what trained, its cost, what it did."""
    rows = []
    for run in runs:
        last = run.report["history"][-1]
        changed = run.report["share_of_changed_answers"]
        rows.append(
            (
                run.number,
                run.title,
                f"{run.n_trainable:,}",
                f"{run.report['n_steps']}, {run.report['training_seconds']:.1f} s",
                f"{run.n_bytes / 1e6:.0f} MB",
                f"{last['entity_f1']:.3f}, {changed['entities']:.0%}",
                f"{last['macro_f1']:.3f}, {changed['classes']:.0%}",
            )
        )
    columns = ["run", "plan", "trainable", "steps", "memory, about"]
    return pd.DataFrame(rows, columns=[*columns, *(f"{task.title}: {task.metric}, changed" for task in LEARNED_TASKS)])


def _change(before: str, after: str) -> str:
    return f"{before} → {after}" if before != after else f"{before} (as before)"


def _class(answer: SentenceAnalysis) -> str:
    return f"{answer.label} {answer.probabilities[answer.label]:.2f}"


def _entities(answer: SentenceAnalysis) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in answer.entities) or "none"
