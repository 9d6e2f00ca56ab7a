"""Runs as the page shows them: the one that goes on, all of the visitor, and one of them in full."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd
from gradio.components import Component

from mtdemo.laboratory.outcome import Outcome, Snapshot, TaskDrift
from mtdemo.laboratory.run_store import Run
from mtdemo.laboratory.verdict import MIN_TO_CONCLUDE
from mtdemo.models.parts import HEAD_NAMES, LEARNED_TASKS, Task
from mtdemo.planning.changes import title_parts
from mtdemo.planning.scenarios import WEIGHTS, find_selection
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import SentenceAnalysis
from mtdemo.ui.charts.run import AXES, plot_history, plot_layers, plot_movement, plot_runs
from mtdemo.ui.components.events import Updates
from mtdemo.ui.components.messages import shorten
from mtdemo.ui.lab.run_details import describe_details

_WIDTHS: list[str | int] = ["34%", "26%", "40%"]
_RUN_WIDTHS: list[str | int] = ["52px", "220px", "150px", "104px", "104px", "76px", "104px", "104px", "76px"]
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
        finished: holds all that follows, hidden before the first run has ended.
        chosen: the number of the run that is shown and used.
        use, see, back, pack, download: what can be done with it.
        notice: what became of that.
        result, details, moved, layers, sentences, report: what it did.
        runs, few, by, compared: all runs of the visitor, as a table, in words and as a figure.
    """

    status: gr.HTML
    history: gr.Plot
    finished: gr.Column
    chosen: gr.Dropdown
    use: gr.Button
    see: gr.Button
    back: gr.Button
    pack: gr.Button
    download: gr.DownloadButton
    notice: gr.HTML
    result: gr.HTML
    details: gr.HTML
    moved: gr.Plot
    layers: gr.Plot
    sentences: gr.Dataframe
    report: gr.Code
    runs: gr.Dataframe
    few: gr.HTML
    by: gr.Radio
    compared: gr.Plot

    @property
    def of_one(self) -> set[Component]:
        """Components that show the chosen run."""
        shown = {self.result, self.details, self.moved, self.layers, self.sentences, self.report}
        return shown | {self.notice, self.download, self.see}

    @property
    def outputs(self) -> set[Component]:
        """Components that a run changes."""
        of_all = {self.runs, self.few, self.compared, self.chosen, self.finished}
        return {self.status, self.history} | of_all | self.of_one

    def show_beginning(self) -> Updates:
        """Say that a run begins; the last one's figure goes."""
        return {
            self.status: "<p>Getting ready: a copy of the model, and what it says before.</p>",
            self.history: gr.Plot(visible=False),
        }

    def show_history(self, seen: Sequence[Snapshot]) -> Updates:
        """Draw the losses and scores so far."""
        return {self.history: gr.Plot(plot_history(seen), visible=True)}

    def show_ending(self, outcome: Outcome, seen: Sequence[Snapshot], number: int) -> Updates:
        """Say how a run has ended."""
        last = seen[-1]
        return {
            self.status: (
                f"<p><b>{_ENDINGS[outcome.ending]}</b> after {last.n_done} of {last.n_steps} steps and "
                f"{last.seconds:.1f} s, of which the steps took {outcome.training_s:.1f} s. This is run {number}.</p>"
            ),
            **self.show_history(seen),
        }

    def show_runs(self, runs: Sequence[Run], with_weights: Collection[int], by: str) -> Updates:
        """List and compare all runs, and choose the last one.

        Args:
            runs: of the visitor, oldest first.
            with_weights: numbers of those whose trained model is still here.
            by: one of `AXES`.
        """
        choices = [(f"{run.number}: {run.title}", run.number) for run in reversed(runs)]
        few = [run.number for run in runs if min(run.report["n_heldout"].values()) < MIN_TO_CONCLUDE]
        return {
            self.finished: gr.Column(visible=bool(runs)),
            self.chosen: gr.Dropdown(choices, value=runs[-1].number if runs else None),
            self.runs: tabulate_runs(runs, with_weights),
            self.few: _caution_runs(few),
            self.compared: plot_runs(runs, by),
        }

    def show_one(self, run: Run, outcome: Outcome | None, colors: Mapping[str, str]) -> Updates:
        """Show a run, or what is left of it."""
        saved: Updates = {
            self.report: json.dumps({**run.report, "plan": run.plan.as_dict()}, indent=1),
            self.download: gr.DownloadButton(visible=False),
            self.notice: "",
            self.see: gr.Button(visible=False),
            self.moved: gr.Plot(plot_movement(run.report["movement"]), visible=True),
            self.layers: gr.Plot(plot_layers(outcome.layers), visible=True) if outcome else gr.Plot(visible=False),
            self.sentences: gr.Dataframe(
                tabulate_sentences(outcome) if outcome else None, visible=bool(outcome and outcome.own_before)
            ),
        }
        if outcome is None:
            words = "<p>Of this run only the numbers are left, which this browser kept.</p>"
            return {**saved, self.result: words, self.details: ""}
        return {
            **saved,
            self.result: describe_outcome(outcome, run.plan),
            self.details: describe_details(outcome, colors),
        }


def add_run_state() -> tuple[gr.HTML, gr.Plot]:
    """Add what tells of the run that goes on."""
    return gr.HTML(padding=False), gr.Plot(label="Loss and held-out scores by step", show_label=False, visible=False)


def add_run_view() -> RunView:
    """Add the components, hidden until there is something to show."""
    status, history = add_run_state()
    table: dict[str, Any] = {"interactive": False, "wrap": True}
    with gr.Column(visible=False) as finished:
        gr.Markdown("## Your runs")
        chosen = gr.Dropdown([], label="Run", info="The one that is shown, used and packed.", filterable=False)
        with gr.Row(elem_classes="downloads"):
            use = gr.Button("Use this run in the other tabs", variant="primary", size="sm")
            see = gr.Button("See its answers", size="sm", visible=False)
            back = gr.Button("Use this page's model there again", size="sm")
            pack = gr.Button("Pack this run as a ZIP", size="sm")
            download = gr.DownloadButton("Download", size="sm", visible=False)
        notice = gr.HTML(padding=False)
        result = gr.HTML(padding=False)
        details = gr.HTML(padding=False)
        with gr.Row():
            moved = gr.Plot(label="How far each part moved", show_label=False, visible=False, min_width=300)
            layers = gr.Plot(label="Hidden states before and after", show_label=False, visible=False, min_width=300)
        sentences = gr.Dataframe(label="Your sentences before and after", visible=False, column_widths=_WIDTHS, **table)
        with gr.Accordion("This run as a file", open=False):
            report = gr.Code(label="run.json", language="json", interactive=False)
        gr.Markdown("### All runs of this browser")
        few = gr.HTML(padding=False)
        runs = gr.Dataframe(label="Changed: share of the answers", column_widths=_RUN_WIDTHS, **table)
        by = gr.Radio(list(AXES), value=next(iter(AXES)), label="Compare their scores by")
        compared = gr.Plot(label="Runs", show_label=False)
    of_one = (notice, result, details, moved, layers, sentences, report)
    return RunView(status, history, finished, chosen, use, see, back, pack, download, *of_one, runs, few, by, compared)


def describe_state(state: Snapshot) -> str:
    """Say how far a run is, as HTML."""
    left = "" if state.seconds_left is None else f", about {state.seconds_left:.0f} s left"
    losses = f" Loss: {html.escape(state.losses.phrase)}." if state.losses else ""
    rates = "; ".join(f"{html.escape(name)} {rate:.2g}" for name, rate in state.rates.items())
    return (
        f'<div class="bar-of-steps" role="progressbar" aria-label="Steps done" aria-valuemin="0" '
        f'aria-valuemax="{state.n_steps}" aria-valuenow="{state.n_done}">'
        f'<i style="width:{100 * state.n_done / state.n_steps:.1f}%"></i></div>'
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
    n = {"entities": outcome.entities.n_sentences, "classes": outcome.classes.n_sentences}
    heading = f"On the sentences kept aside ({_list_counts(n)})"
    return f'<h3 class="heading">{heading}</h3><ul class="facts">{"".join(rows)}</ul>{_MEASURES}'


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
    frozen = title_parts(plan.frozen)
    return ", ".join([*words, f"frozen: {frozen}" if frozen else "no part frozen"])


def tabulate_sentences(outcome: Outcome) -> pd.DataFrame:
    """Tabulate the person's sentences before and after."""
    rows = [
        (shorten(a.text, 80), _change(_class(a), _class(b)), _change(_entities(a), _entities(b)))
        for a, b in zip(outcome.own_before, outcome.own_after, strict=True)
    ]
    return pd.DataFrame(rows, columns=["sentence", "class, before → after", "entities, before → after"])


def tabulate_runs(runs: Sequence[Run], with_weights: Collection[int]) -> pd.DataFrame:
    """Tabulate runs: data, what trained, its cost, what it did."""
    rows = []
    for run in runs:
        last = run.report["history"][-1]
        changed, n_heldout = run.report["share_of_changed_answers"], run.report["n_heldout"]
        rows.append(
            (
                run.number,
                run.title,
                f"{run.report['data']}; {_list_counts(n_heldout)} kept aside",
                f"{run.n_trainable:,}",
                f"{run.report['n_steps']}, {run.report['training_seconds']:.1f} s",
                f"{run.n_bytes / 1e6:.0f} MB",
                f"{last['entity_f1']:.3f}, {changed['entities']:.0%}",
                f"{last['macro_f1']:.3f}, {changed['classes']:.0%}",
                "kept" if run.number in with_weights else "gone",
            )
        )
    columns = ["run", "plan", "data", "trainable", "steps", "memory, about"]
    scores = [f"{task.title}: {task.metric}, changed" for task in LEARNED_TASKS]
    return pd.DataFrame(rows, columns=[*columns, *scores, "weights"])


def _list_counts(n_heldout: Mapping[str, int]) -> str:
    """Count held-out sentences: one number where both are equal."""
    counts = dict.fromkeys(n_heldout.values())
    return " and ".join(map(str, counts))


def _caution_runs(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    which = f"Run {numbers[0]} was" if len(numbers) == 1 else f"Runs {', '.join(map(str, numbers))} were"
    return (
        f'<p class="warning">{which} measured on fewer than {MIN_TO_CONCLUDE} sentences of a task: too few to conclude '
        "anything from a score. Runs on different data cannot be compared.</p>"
    )


def _change(before: str, after: str) -> str:
    return f"{before} → {after}" if before != after else f"{before} (as before)"


def _class(answer: SentenceAnalysis) -> str:
    return f"{answer.label} {answer.probabilities[answer.label]:.2f}"


def _entities(answer: SentenceAnalysis) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in answer.entities) or "none"
