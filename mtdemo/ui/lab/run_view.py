"""What a run did, in words, tables and pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.laboratory.run_queue import Run
from mtdemo.models.parts import HEAD_NAMES, part_title
from mtdemo.planning.scenarios import WEIGHTS, find_selection
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.charts.run import plot_history, plot_movement, plot_runs
from mtdemo.ui.components.messages import shorten

if TYPE_CHECKING:
    from mtdemo.laboratory.outcome import Outcome, Snapshot
    from mtdemo.results import SentenceAnalysis


_NEARLY_ONE = 0.9999
_MEASURES = (
    '<p class="explained">F1, 0 to 1, is high where what is found is right and little is missed; an entity is right when '
    "its type and both ends are. Macro-F1 is the mean of that over the classes, so that a rare one counts as much as a "
    "common one.</p>"
)


def show_outcome(outcome: Outcome, seen: Sequence[Snapshot], runs: Sequence[Run], by: str) -> tuple[Any, ...]:
    """What the page shows at the end of a run."""
    last = seen[-1]
    state = {"done": "Done", "stopped": "Stopped", "out of time": "Out of time, so stopped"}[outcome.ending]
    return (
        f"<p><b>{state}</b> after {last.n_done} of {last.n_steps} steps and {last.seconds:.1f} s, of which the steps took "
        f"{outcome.training_s:.1f} s. This is run {runs[-1].number}.</p>",
        gr.Plot(plot_history(seen), visible=True),
        describe_outcome(outcome, runs[-1].plan),
        gr.Plot(plot_movement(outcome.movement), visible=True),
        gr.Dataframe(tabulate_sentences(outcome), visible=bool(outcome.own_before)),
        gr.Column(visible=True),
        tabulate_runs(runs),
        plot_runs(runs, by),
        json.dumps({**runs[-1].report, "plan": runs[-1].plan.as_dict()}, indent=1),
        gr.DownloadButton(visible=False),
    )


def describe_state(state: Snapshot) -> str:
    """How far a run is, with the time that is left, as HTML."""
    left = "" if state.seconds_left is None else f", about {state.seconds_left:.0f} s left"
    losses = f" Loss: {html.escape(state.losses.phrase)}." if state.losses else ""
    rates = "; ".join(f"{html.escape(name)} {rate:.2g}" for name, rate in state.rates.items())
    return (
        f'<progress aria-label="Steps done" max="{state.n_steps}" value="{state.n_done}" style="width: 100%"></progress>'
        f"<p>Step {state.n_done} of {state.n_steps}{left}.{losses}<br>Learning rates now: {rates}.</p>"
    )


def describe_outcome(outcome: Outcome, plan: TrainingPlan) -> str:
    """What happened to each task and to the embeddings, in words, as HTML."""
    moved = any(value for name, value in outcome.movement.items() if name not in HEAD_NAMES)
    rows = []
    for name, head, drift, measure in (
        ("Entities", "ner_head", outcome.entities, "F1"),
        ("Classes", "classification_head", outcome.classes, "macro-F1"),
    ):
        scores = f"{measure} {drift.score_before:.3f} → {drift.score_after:.3f}"
        words = f"{scores}; {drift.changed_fraction:.0%} of the answers changed"
        if outcome.movement[head] == 0.0 and moved and drift.changed_fraction:
            still = "was frozen" if head in plan.frozen else "did not learn in this run"
            words += f". <b>Its head {still} and its task drifted all the same</b>, since the backbone under it moved"
        elif drift.is_identical and outcome.movement[head] == 0.0 and not moved:
            words += ": neither its head nor the backbone moved, so every answer is the same, bit for bit"
        rows.append(f"<li>{name}: {words}.</li>")
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


def name_plan(plan: TrainingPlan) -> str:
    """A plan in a few words."""
    words = ["new output layer"] if plan.new_output_layer else []
    words += [find_selection(plan.selection).title] if plan.selection != WEIGHTS else []
    words += ["unfrozen gradually"] if plan.gradual else []
    frozen = ", ".join(_in_short(plan.frozen))
    return ", ".join([*words, f"frozen: {frozen}" if frozen else "no part frozen"])


def _in_short(names: Sequence[str]) -> Iterator[str]:
    """Titles of parts, in which layers that follow one another are one."""
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
    """One row per sentence of the person: class and entities before and after."""
    rows = [
        (shorten(a.text, 80), _change(_class(a), _class(b)), _change(_entities(a), _entities(b)))
        for a, b in zip(outcome.own_before, outcome.own_after, strict=True)
    ]
    return pd.DataFrame(rows, columns=["sentence", "class, before → after", "entities, before → after"])


def tabulate_runs(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run: what trained, what it cost and what it did."""
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
    columns = ["run", "plan", "trainable", "steps", "memory, about", "entities: F1, changed", "classes: macro-F1, changed"]
    return pd.DataFrame(rows, columns=columns)


def _change(before: str, after: str) -> str:
    return f"{before} → {after}" if before != after else f"{before} (as before)"


def _class(answer: SentenceAnalysis) -> str:
    return f"{answer.label} {answer.probabilities[answer.label]:.2f}"


def _entities(answer: SentenceAnalysis) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in answer.entities) or "none"


def show_beginning() -> tuple[Any, ...]:
    """What an earlier run did leaves the page, since it is not what this one does."""
    hidden = (gr.Plot(visible=False), "", gr.Plot(visible=False), gr.Dataframe(visible=False))
    return ("<p>Getting ready: a copy of the model, and what it says before.</p>", *hidden, *(gr.skip() for _ in range(5)))


def show_running(status: str, history: Any = None) -> tuple[Any, ...]:
    """Show the state of a run, and its losses and scores where they are given."""
    return (status, gr.skip() if history is None else history, *(gr.skip() for _ in range(8)))
