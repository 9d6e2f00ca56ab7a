"""The part of the freezing tab that trains: a copy learns under the plan above, and the page tells what moved."""

from __future__ import annotations

import html
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.config import EMBEDDED
from mtdemo.encoding import replace_unreadable
from mtdemo.errors import MtdemoError, PlanError
from mtdemo.laboratory import Laboratory, Run, Waiting
from mtdemo.plans import TrainingPlan
from mtdemo.sample_file import read_sample
from mtdemo.ui.charts import part_title, plot_history, plot_movement, plot_runs
from mtdemo.ui.messages import shorten

if TYPE_CHECKING:
    from mtdemo.experiment import Outcome, Snapshot
    from mtdemo.results import SentenceAnalysis

TASKS = {"Both tasks": (1.0, 1.0), "Classes only": (0.0, 1.0), "Entities only": (1.0, 0.0)}
_OWN = "The Nobel Prize went to Marie Curie.\nThe service at Lufthansa was a nightmare."
_MOST_OWN = 10
_REFRESH_S = 0.7


def add_laboratory(laboratory: Laboratory, page: gr.Blocks, saved: gr.Code, backbone: gr.Radio) -> None:
    """Add the controls and the results under a plan.

    Args:
        laboratory: who conducts the runs.
        page: tells when a visitor comes.
        saved: holds the plan above as JSON.
        backbone: what the plan is for; only the embedded model can be trained here.
    """
    sample = read_sample()
    gr.Markdown(
        "## Train it\n"
        f"A **copy** of the embedded model learns {len(sample.train)} small sentences under the plan above and is measured "
        f"on {len(sample.test)} others, before, during and after. The model that answers in the other tabs stays as it is. "
        "The rates that the plan begins with are those of BERT; this small model wants about ten times as much."
    )
    visitor = gr.State("", delete_callback=laboratory.forget)
    page.load(lambda: uuid.uuid4().hex, None, visitor, api_visibility="private", show_progress="hidden")
    with gr.Row():
        tasks = gr.Radio(list(TASKS), value="Both tasks", label="Learn", info="What the loss is made of.")
        n_steps = gr.Slider(10, 500, value=60, step=10, label="Steps")
        n_sentences = gr.Slider(4, 64, value=16, step=4, label="Sentences per step")
        seed = gr.Number(13, label="Seed", precision=0, minimum=0)
    own = gr.Textbox(_OWN, label=f"Your own sentences, before and after (at most {_MOST_OWN})", lines=2, max_lines=6)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary")
        stop = gr.Button("Stop and keep what there is")
    status = gr.HTML(padding=False)
    history = gr.Plot(label="Loss and held-out scores by step", show_label=False, visible=False)
    result = gr.HTML(padding=False)
    moved = gr.Plot(label="How far each part moved", show_label=False, visible=False)
    sentences = gr.Dataframe(label="Your sentences before and after", interactive=False, wrap=True, visible=False)
    runs = gr.Dataframe(label="Your runs of this visit", interactive=False, wrap=True, visible=False)
    compared = gr.Plot(label="Runs", show_label=False, visible=False)
    with gr.Accordion("The last run as a file", open=False):
        report = gr.Code(label="run.json", language="json", interactive=False)
    start.click(
        partial(train, laboratory),
        [visitor, backbone, saved, tasks, own, n_steps, n_sentences, seed],
        [status, history, result, moved, sentences, runs, compared, report],
        show_progress="hidden",
        concurrency_limit=None,
        api_visibility="private",
    )
    stop.click(laboratory.stop, visitor, None, api_visibility="private", queue=False)


def train(
    laboratory: Laboratory, visitor: str, backbone: str, saved: str, tasks: str, own: str, *numbers: float | None
) -> Iterator[tuple[Any, ...]]:
    """A plan and how to train to what the page shows: while it runs the state, at the end what moved.

    An error is shown in the place of the state, since a run may have been shown already when it occurs.
    """
    n_steps, n_sentences, seed = (int(number or 0) for number in numbers)
    seen: list[Snapshot] = []
    shown = 0.0
    try:
        if backbone != EMBEDDED:
            raise PlanError("Only the embedded model can be trained here; choose it as the backbone, or only plan.")
        plan = TrainingPlan.from_dict(json.loads(saved or "{}"))
        for state in laboratory.conduct(
            visitor,
            plan,
            f"{name_plan(plan)}; {tasks.lower()}",
            n_steps=n_steps,
            sentences_per_step=n_sentences,
            seed=seed,
            task_weights=TASKS[tasks],
            own_sentences=tuple(_lines(own)),
        ):
            if isinstance(state, Waiting):
                yield _while_running(f"Waiting for a place: {state.place} in line.")
                continue
            seen.append(state)
            if time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield _while_running(describe_state(state), gr.Plot(plot_history(seen), visible=True))
    except MtdemoError as error:
        yield _while_running(f"This did not work: {html.escape(str(error), quote=False)}")
        return
    outcome = laboratory.outcome(visitor)
    if outcome is not None:
        yield show_outcome(outcome, seen, laboratory.runs(visitor))


def show_outcome(outcome: Outcome, seen: Sequence[Snapshot], runs: Sequence[Run]) -> tuple[Any, ...]:
    """What the page shows at the end of a run."""
    last = seen[-1]
    state = "Stopped" if outcome.stopped else "Done"
    return (
        f"<p><b>{state}</b> after {last.n_done} of {last.n_steps} steps and {last.seconds:.1f} s.</p>",
        gr.Plot(plot_history(seen), visible=True),
        describe_outcome(outcome),
        gr.Plot(plot_movement(outcome.movement), visible=True),
        gr.Dataframe(tabulate_sentences(outcome), visible=bool(outcome.own_before)),
        gr.Dataframe(tabulate_runs(runs), visible=True),
        gr.Plot(plot_runs(runs), visible=len(runs) > 1),
        json.dumps({**outcome.as_dict(), "plan": runs[-1].plan.as_dict()}, indent=1),
    )


def describe_state(state: Snapshot) -> str:
    """How far a run is, with the time that is left, as HTML."""
    left = ""
    if state.n_done:
        seconds = state.seconds / state.n_done * (state.n_steps - state.n_done)
        left = f", about {seconds:.0f} s left"
    losses = f" Loss: {html.escape(state.losses.phrase)}." if state.losses else ""
    rates = "; ".join(f"{html.escape(name)} {rate:.2g}" for name, rate in state.rates.items() if "no decay" not in name)
    return (
        f'<progress max="{state.n_steps}" value="{state.n_done}" style="width: 100%"></progress>'
        f"<p>Step {state.n_done} of {state.n_steps}{left}.{losses}<br>Learning rates now: {rates}.</p>"
    )


def describe_outcome(outcome: Outcome) -> str:
    """What happened to each task and to the embeddings, in words, as HTML."""
    moved = any(value for name, value in outcome.movement.items() if not name.endswith("_head"))
    rows = []
    for name, head, drift, measure in (
        ("Entities", "ner_head", outcome.entities, "F1"),
        ("Classes", "classification_head", outcome.classes, "macro-F1"),
    ):
        scores = f"{measure} {drift.score_before:.3f} → {drift.score_after:.3f}"
        words = f"{scores}; {drift.share_changed:.0%} of the answers changed"
        if outcome.movement[head] == 0.0 and drift.share_changed:
            words += ". <b>Its head was frozen and its task drifted all the same</b>, since the backbone under it moved"
        elif outcome.movement[head] == 0.0 and not moved:
            words += ": neither its head nor the backbone moved, so every answer is the same, bit for bit"
        rows.append(f"<li>{name}: {words}.</li>")
    rows.append(f"<li>Sentence embeddings: mean cosine to before {outcome.embedding_cosine:.4f} (1 is unchanged).</li>")
    return f'<h4 class="heading">On the sentences kept aside</h4><ul class="warnings">{"".join(rows)}</ul>'


def name_plan(plan: TrainingPlan) -> str:
    """A plan in a few words."""
    frozen = [part_title(name) for name in plan.frozen]
    return f"frozen: {', '.join(frozen)}" if frozen else "everything trains"


def tabulate_sentences(outcome: Outcome) -> pd.DataFrame:
    """One row per sentence of the person: class and entities before and after."""
    rows = [
        (shorten(a.text, 80), _class(a), _class(b), _entities(a), _entities(b))
        for a, b in zip(outcome.own_before, outcome.own_after, strict=True)
    ]
    return pd.DataFrame(rows, columns=["sentence", "class before", "after", "entities before", "after "])


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
                run.report["n_steps"],
                f"{run.report['seconds']:.1f} s",
                f"{run.n_bytes / 1e6:.0f} MB",
                f"{last['entity_f1']:.3f}",
                f"{last['macro_f1']:.3f}",
                f"{changed['entities']:.0%} / {changed['classes']:.0%}",
            )
        )
    columns = ["run", "plan", "trainable", "steps", "time", "memory (estimate)", "entity F1", "class F1", "changed"]
    return pd.DataFrame(rows, columns=columns)


def _while_running(status: str, history: Any = None) -> tuple[Any, ...]:
    return (status, gr.skip() if history is None else history, *(gr.skip() for _ in range(6)))


def _lines(own: str) -> list[str]:
    return [line.strip() for line in replace_unreadable(own or "").splitlines() if line.strip()][:_MOST_OWN]


def _class(answer: SentenceAnalysis) -> str:
    return f"{answer.label} {answer.probabilities[answer.label]:.2f}"


def _entities(answer: SentenceAnalysis) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in answer.entities) or "none"
