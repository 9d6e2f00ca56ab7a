"""The part of the freezing tab that trains: a copy learns under the plan above, and the page tells what moved."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd
from gradio.processing_utils import save_bytes_to_cache

from mtdemo.config import EMBEDDED
from mtdemo.encoding import replace_unreadable
from mtdemo.errors import MtdemoError, PlanError
from mtdemo.freezing import WEIGHTS, find_selection
from mtdemo.laboratory import Laboratory, Run, Waiting
from mtdemo.lessons import MOST_SENTENCES, Lessons, read_lessons
from mtdemo.packing import pack_run
from mtdemo.plans import TrainingPlan, run_warnings
from mtdemo.service import FreezingRequest, ModelService
from mtdemo.ui.charts import AXES, part_title, plot_history, plot_movement, plot_runs
from mtdemo.ui.messages import as_warnings, shorten, shows_errors
from mtdemo.ui.model_choice import describe_ready

if TYPE_CHECKING:
    from mtdemo.experiment import Outcome, Snapshot
    from mtdemo.results import SentenceAnalysis

TASKS = {"Both tasks": (1.0, 1.0), "Classes only": (0.0, 1.0), "Entities only": (1.0, 0.0)}
SUFFIXES = [".jsonl", ".csv", ".conll", ".bio", ".iob", ".iob2", ".txt"]
_OWN = "The Nobel Prize went to Marie Curie.\nThe service at Lufthansa was a nightmare."
_MOST_OWN = 10
_REFRESH_S = 0.7
_RUN_WIDTHS: list[str | int] = ["52px", "300px", "112px", "120px", "92px", "130px", "130px"]
_FORMATS = """
| file | a line of it |
|---|---|
| `.jsonl`, classes | `{"text": "What a day!", "label": "positive"}` |
| `.jsonl`, entities | `{"tokens": ["Ada", "lives", "in", "Rome"], "tags": ["PER", "O", "O", "LOC"]}` |
| `.csv`, classes | `text,label` first, then `"What a day!",positive` |
| `.conll`, `.bio`, `.iob`, `.iob2`, entities | `Rome B-LOC`, a blank line between sentences |
| `.txt`, both | `positive \\| What a day in [Rome](LOC)!` after a line `[train]`, and others after `[test]` |

A task that your file says nothing of keeps the project's sentences. Each fourth sentence is kept aside to measure on,
unless the file says itself what is `[test]`. The file is read for your run and is not kept with it.
"""


@dataclass(frozen=True, slots=True)
class Borrowed:
    """Components of other places that the laboratory reads and changes.

    Attributes:
        saved: the plan as JSON.
        backbone: what the plan is for; only the embedded model can be trained here.
        model: the visitor's model, which a trained copy can become.
        status: says which model answers.
    """

    saved: gr.Code
    backbone: gr.Radio
    model: gr.State
    status: gr.Markdown


def add_laboratory(service: ModelService, laboratory: Laboratory, page: gr.Blocks, borrowed: Borrowed) -> None:
    """Add the controls and the results under a plan.

    Args:
        service: counts parts, and takes a trained copy in.
        laboratory: who conducts the runs.
        page: tells when a visitor comes.
        borrowed: what belongs to others.
    """
    own_lessons = read_lessons()
    gr.Markdown(
        "## Train it\n"
        f"A **copy** of the embedded model learns {len(own_lessons.tagged)} small sentences under the plan above and is "
        f"measured on {len(own_lessons.tagged_aside)} others, before, during and after. The model that answers in the "
        "other tabs stays as it is. The rates that the plan begins with are those of BERT; this small model wants about "
        "ten times as much."
    )
    visitor = gr.State("")
    page.load(_visitor, None, visitor, api_visibility="private", show_progress="hidden")
    page.unload(partial(_forget, laboratory))
    with gr.Row():
        tasks = gr.Radio(list(TASKS), value="Both tasks", label="Learn", info="What the loss is made of.")
        keep = gr.Number(0, label="Weight of keeping the embeddings", info="1 − cosine to before, in the loss.", minimum=0)
    with gr.Row():
        n_steps = gr.Slider(10, 500, value=60, step=10, label="Steps")
        n_sentences = gr.Slider(4, 64, value=16, step=4, label="Sentences per step", info="Shared by the two tasks.")
        seed = gr.Number(13, label="Seed", precision=0, minimum=0)
    own = gr.Textbox(_OWN, label=f"Your own sentences, before and after (at most {_MOST_OWN})", lines=2, max_lines=6)
    with gr.Accordion("Learn your own labelled sentences instead", open=False):
        file = gr.File(label=f"At most {MOST_SENTENCES:,} sentences", file_types=SUFFIXES, height=160)
        described = gr.Markdown(elem_classes="note", visible=False)
        gr.Markdown(_FORMATS)
    check = gr.HTML(padding=False)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary")
        stop = gr.Button("Stop and keep what there is")
    status = gr.HTML(padding=False)
    history = gr.Plot(label="Loss and held-out scores by step", show_label=False, visible=False)
    result = gr.HTML(padding=False)
    moved = gr.Plot(label="How far each part moved", show_label=False, visible=False)
    sentences = gr.Dataframe(
        label="Your sentences before and after", interactive=False, wrap=True, visible=False,
        column_widths=["34%", "26%", "40%"],
    )  # fmt: skip
    with gr.Column(visible=False) as kept:
        runs = gr.Dataframe(
            label="Your runs of this visit (changed: share of the answers)", interactive=False, wrap=True,
            column_widths=_RUN_WIDTHS,
        )  # fmt: skip
        by = gr.Radio(list(AXES), value=next(iter(AXES)), label="Compare their scores by")
        compared = gr.Plot(label="Runs", show_label=False)
        with gr.Row():
            use = gr.Button("Use the trained copy in the other tabs")
            pack = gr.Button("Pack the last run as a ZIP")
        download = gr.DownloadButton("Download", visible=False)
        with gr.Accordion("The last run as a file", open=False):
            report = gr.Code(label="run.json", language="json", interactive=False)

    private: dict[str, Any] = {"api_visibility": "private"}
    start.click(
        partial(train, laboratory),
        [visitor, borrowed.backbone, borrowed.saved, tasks, own, file, by, keep, n_steps, n_sentences, seed],
        [status, history, result, moved, sentences, kept, runs, compared, report, download],
        show_progress="hidden",
        concurrency_limit=None,
        **private,
    )
    stop.click(laboratory.stop, visitor, None, queue=False, **private)
    gr.on(
        [borrowed.saved.change, tasks.input, n_steps.change],
        partial(check_run, service),
        [borrowed.backbone, borrowed.saved, tasks, n_steps],
        check,
        show_progress="hidden",
        trigger_mode="always_last",
        **private,
    )
    gr.on([file.upload, file.clear], describe_file, file, described, show_progress="hidden", **private)
    by.input(partial(compare_runs, laboratory), [visitor, by], compared, show_progress="hidden", **private)
    pack.click(partial(pack_last, laboratory, download.GRADIO_CACHE), visitor, download, **private)
    use.click(partial(use_trained, service, laboratory), visitor, [borrowed.model, borrowed.status], **private)


def _visitor(request: gr.Request) -> str:
    """Whose runs these are: one page in one browser tab."""
    return str(request.session_hash)


def _forget(laboratory: Laboratory, request: gr.Request) -> None:
    """End and drop the runs of a page that was closed."""
    laboratory.forget(_visitor(request))


def check_run(service: ModelService, backbone: str, saved: str, tasks: str, n_steps: float) -> str:
    """What contradicts itself between the plan and the run, as HTML; what is wrong with the plan itself is told there."""
    try:
        plan = TrainingPlan.from_dict(json.loads(saved or "{}"))
        names = [part.name for part in service.parts(backbone, plan.new_output_layer)]
        planned = service.freezing_plan(
            FreezingRequest(
                backbone,
                trainable_parts=tuple(name for name in names if name not in plan.frozen),
                new_output_layer=plan.new_output_layer,
                selection=plan.selection,
                gradual=plan.gradual,
                adapters=plan.adapters,
            )
        )
    except MtdemoError:
        return ""
    return as_warnings(run_warnings(plan, planned.freezing, int(n_steps), TASKS[tasks]))


def describe_file(path: str | None) -> Any:
    """What a person's file teaches, or what is wrong with it."""
    if path is None:
        return gr.Markdown(visible=False)
    try:
        words = f"Read: {read_lessons(Path(path)).phrase}."
    except MtdemoError as error:
        words = f"**This file cannot be used.** {html.escape(str(error), quote=False)}"
    return gr.Markdown(words, visible=True)


@shows_errors
def compare_runs(laboratory: Laboratory, visitor: str, by: str) -> Any:
    """The visitor's runs as a picture."""
    return plot_runs(laboratory.runs(visitor), by)


@shows_errors
def pack_last(laboratory: Laboratory, directory: str, visitor: str) -> Any:
    """The visitor's last run as a file to download."""
    trained, runs = laboratory.model(visitor), laboratory.runs(visitor)
    name = f"run-{runs[-1].number}.zip"
    content = pack_run(runs[-1], runs, trained)
    path = save_bytes_to_cache(content, name, cache_dir=directory)
    return gr.DownloadButton(f"Download {name} ({len(content) / 1e6:.0f} MB)", value=Path(path), visible=True)


@shows_errors
def use_trained(service: ModelService, laboratory: Laboratory, visitor: str) -> tuple[str, str]:
    """Let the visitor's trained copy answer in the other tabs, for this visitor alone."""
    trained = laboratory.model(visitor)
    name = service.adopt(trained, f"run {laboratory.runs(visitor)[-1].number} of your laboratory")
    return name, describe_ready(service, name)


def train(
    laboratory: Laboratory,
    visitor: str,
    backbone: str,
    saved: str,
    tasks: str,
    own: str,
    *others: Any,
) -> Iterator[tuple[Any, ...]]:
    """A plan and how to train to what the page shows: while it runs the state, at the end what moved.

    An error is shown in the place of the state, since a run may have been shown already when it occurs.
    """
    file, by, keep, *numbers = others
    n_steps, n_sentences, seed = (int(number or 0) for number in numbers)
    seen: list[Snapshot] = []
    shown = 0.0
    n_before = len(laboratory.runs(visitor))
    try:
        if backbone != EMBEDDED:
            raise PlanError("Only the embedded model can be trained here; choose it as the backbone, or only plan.")
        plan = TrainingPlan.from_dict(json.loads(saved or "{}"))
        lessons: Lessons | None = read_lessons(Path(file)) if file else None
        for state in laboratory.conduct(
            visitor,
            plan,
            f"{name_plan(plan)}; {tasks.lower()}",
            lessons,
            n_steps=n_steps,
            sentences_per_step=n_sentences,
            seed=seed,
            task_weights=TASKS[tasks],
            distillation_weight=float(keep or 0),
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
    outcome, runs = laboratory.outcome(visitor), laboratory.runs(visitor)
    if not seen:
        yield _while_running("You left the line; nothing was trained.")
    elif outcome is not None and (len(runs) > n_before or runs[-1].report == outcome.as_dict()):
        yield show_outcome(outcome, seen, runs, by)


def show_outcome(outcome: Outcome, seen: Sequence[Snapshot], runs: Sequence[Run], by: str) -> tuple[Any, ...]:
    """What the page shows at the end of a run."""
    last = seen[-1]
    state = {"done": "Done", "stopped": "Stopped", "out of time": "Out of time, so stopped"}[outcome.ending]
    return (
        f"<p><b>{state}</b> after {last.n_done} of {last.n_steps} steps and {last.seconds:.1f} s.</p>",
        gr.Plot(plot_history(seen), visible=True),
        describe_outcome(outcome),
        gr.Plot(plot_movement(outcome.movement), visible=True),
        gr.Dataframe(tabulate_sentences(outcome), visible=bool(outcome.own_before)),
        gr.Column(visible=True),
        tabulate_runs(runs),
        plot_runs(runs, by),
        json.dumps({**outcome.as_dict(), "plan": runs[-1].plan.as_dict()}, indent=1),
        gr.DownloadButton(visible=False),
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
    before, after = outcome.snapshots[0].scores.output_f1, outcome.snapshots[-1].scores.output_f1
    if before is not None and after is not None:
        rows.append(f"<li>New output layer: macro-F1 {before:.3f} (untrained) → {after:.3f}.</li>")
    rows.append(f"<li>Sentence embeddings: mean cosine to before {outcome.embedding_cosine:.4f} (1 is unchanged).</li>")
    return f'<h4 class="heading">On the sentences kept aside</h4><ul class="facts">{"".join(rows)}</ul>'


def name_plan(plan: TrainingPlan) -> str:
    """A plan in a few words."""
    words = ["new output layer"] if plan.new_output_layer else []
    words += [find_selection(plan.selection).title] if plan.selection != WEIGHTS else []
    words += ["unfrozen gradually"] if plan.gradual else []
    frozen = ", ".join(_in_short(plan.frozen))
    return ", ".join([*words, f"frozen: {frozen}" if frozen else "everything trains"])


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
                f"{run.report['n_steps']}, {run.report['seconds']:.1f} s",
                f"{run.n_bytes / 1e6:.0f} MB",
                f"{last['entity_f1']:.3f}, {changed['entities']:.0%}",
                f"{last['macro_f1']:.3f}, {changed['classes']:.0%}",
            )
        )
    columns = ["run", "plan", "trainable", "steps", "memory", "entities: F1, changed", "classes: F1, changed"]
    return pd.DataFrame(rows, columns=columns)


def _while_running(status: str, history: Any = None) -> tuple[Any, ...]:
    return (status, gr.skip() if history is None else history, *(gr.skip() for _ in range(8)))


def _change(before: str, after: str) -> str:
    return f"{before} → {after}" if before != after else f"{before} (as before)"


def _lines(own: str) -> list[str]:
    return [line.strip() for line in replace_unreadable(own or "").splitlines() if line.strip()][:_MOST_OWN]


def _class(answer: SentenceAnalysis) -> str:
    return f"{answer.label} {answer.probabilities[answer.label]:.2f}"


def _entities(answer: SentenceAnalysis) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in answer.entities) or "none"
