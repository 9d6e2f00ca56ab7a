"""The first tab: all answers about every sentence, from one reading."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.errors import MtdemoError
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.cards import MAX_SENTENCES, TURN_PAGES, render_answers
from mtdemo.ui.components.downloads import add_downloads, csv_files, json_lines
from mtdemo.ui.components.sentence_box import SentenceBox, as_problem, ask, whole_text
from mtdemo.ui.tabs.classification import tabulate_classes

_WAITING = '<p class="waiting">The model is loading. The sentences above are answered as soon as it is there.</p>'


def add_answers_tab(vectors: VectorService, box: SentenceBox, model: gr.State) -> gr.Row:
    """Add the tab.

    Args:
        vectors: answers.
        box: holds the sentences.
        model: the visitor's choice of model.

    Returns:
        The row of the buttons that hand the answers out.
    """
    answers = gr.HTML(_WAITING, js_on_load=TURN_PAGES, elem_id="answers", apply_default_css=False)
    box.read_with(model, partial(read, vectors), answers)
    downloads = (*csv_files("answers", tabulate_answers), json_lines("answers", as_record))
    return add_downloads(vectors.service, box, model, *downloads)


def as_record(sentence: SentenceAnalysis) -> dict[str, Any]:
    """Make a line of JSON, with the keys of `annotate`."""
    return {**sentence.classification_as_dict(), **sentence.entities_as_dict(), **sentence.length_as_dict()}


def tabulate_answers(analysis: Analysis) -> pd.DataFrame:
    """Tabulate class and entities of each sentence."""
    table = tabulate_classes(analysis)
    entities = ["; ".join(f"{entity.text} ({entity.label})" for entity in sentence.entities) for sentence in analysis]
    table.insert(2, "entities", entities)
    return table


def read(
    vectors: VectorService,
    text: str,
    model: str | None,
    n_read: int,
    file: LoadedFile | None = None,
    progress: gr.Progress = gr.Progress(),
) -> tuple[Any, ...]:
    """Read the sentences once, for every tab.

    A failure leaves what is shown as it is, and is told beside the box.

    Args:
        vectors: answers.
        text: what stands in the box.
        model: the visitor's choice of model.
        n_read: the number of readings before.
        file: where it came from; all of it is read while its preview stands in the box.
        progress: shows the windows that were read.

    Returns:
        The text that was read, what stood in the box, the number of readings by now, the problem, the work in words, and
        the answers.
    """
    service, asked = vectors.service, whole_text(text, file)
    try:
        if service.loaded(model) is None:
            progress(None, desc="The model is loading; your question is answered as soon as it is there")
            service.load(model)  # so that its time is not counted as reading
        began = time.perf_counter()
        similarity = ask(service, service.similarity, asked, model, progress)
        elapsed_ms = 1_000 * (time.perf_counter() - began)
        background = vectors.background_of(similarity.analysis, model) if len(similarity.analysis) > 1 else None
    except MtdemoError as error:
        return *(gr.skip(),) * 3, as_problem(str(error)), *(gr.skip(),) * 2
    answers = render_answers(similarity, background, MAX_SENTENCES)
    return asked, text, n_read + 1, "", describe_work(similarity.analysis, elapsed_ms), answers


def describe_work(analysis: Analysis, elapsed_ms: float) -> str:
    """Count what was read, in passes and milliseconds."""
    facts = [
        *count_read(analysis),
        f"<b>{_count(analysis.n_passes, 'pass', 'passes')}</b>",
        *([f"{analysis.n_cached:,} from the cache"] if analysis.n_cached else []),
        f"{elapsed_ms:,.0f} ms",
    ]
    return f"<p>{' · '.join(facts)}</p>"


def count_read(analysis: Analysis) -> list[str]:
    """Count sentences and pieces, cut and unknown ones too."""
    n_cut = sum(sentence.n_truncated for sentence in analysis)
    n_unknown = sum(sentence.n_unknown for sentence in analysis)
    return [
        _count(len(analysis), "sentence"),
        _count(sum(sentence.n_tokens for sentence in analysis), "piece"),
        *([f"{n_cut:,} cut"] if n_cut else []),
        *([f"{n_unknown:,} unknown"] if n_unknown else []),
    ]


def _count(number: int, one: str, many: str = "") -> str:
    """Count things: `(1, pass, passes) -> 1 pass`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
