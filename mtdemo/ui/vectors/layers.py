"""The part of the page that reads sentences after each layer of the model, pooled in each way."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.analysis.vectors.layers import EmbeddingMeasures
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.serving.vector_service import LayeredSentences, VectorService
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.messages import as_plain_markdown
from mtdemo.ui.components.sentence_box import SentenceBox, ask, split_lines

_ABOUT = (
    "One forward pass gives hidden states after each layer, and each can be pooled: **mean** of all word pieces, **cls** "
    "(the first one), or their **max**imum. Here all of these embeddings of your sentences stand beside the one that the "
    "model uses. A *mean cosine of pairs* near 1 is a narrow cone, in which everything looks similar; the *rank "
    "correlation* (Spearman) is 1 where the same pairs are the similar ones; with a file that has labels, *neighbours with "
    "its label* says how well an embedding keeps labels together. To use one, see *Change how its embedding is made* in "
    "the model's panel, or name it in *Compare*: `embedded#cls@4` is the first piece after layer 4."
)
_HEIGHT = 760  # pixels, which the rows of six layers fill
_SAME = 1e-3
_MEASURES = ["mean cosine of pairs", "rank correlation with its own", "neighbours with its label"]


def add_layers(vectors: VectorService, box: SentenceBox, model: gr.State) -> None:
    """Add the part.

    Args:
        vectors: answers.
        box: holds the sentences, and the file whose labels are used.
        model: the visitor's choice of model.
    """
    gr.Markdown(_ABOUT, elem_classes="introduction")
    button = gr.Button("Read after each layer", variant="primary", size="sm", elem_classes="single", elem_id="read-layers")
    note = gr.Markdown(elem_classes="note", elem_id="layers-note")
    table = gr.Dataframe(label="Embeddings by layer and pooling", interactive=False, visible=False, max_height=_HEIGHT)
    button.click(
        partial(show_layers, vectors),
        [box.asked, model, box.file],
        [note, table],
        api_visibility="private",
        show_progress_on=[note],
        concurrency_limit=2,
    )
    box.n_answers.change(
        lambda: ("", gr.Dataframe(visible=False)), None, [note, table], api_visibility="private", show_progress="hidden"
    )


@shows_errors
def show_layers(
    vectors: VectorService, text: str, model: str | None, file: LoadedFile | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Any]:
    """Show a note, and a row for each embedding."""
    found = ask(vectors.service, partial(vectors.compare_layers, labels=find_labels(text, file)), text, model, progress)
    return describe_layers(found), gr.Dataframe(tabulate_layers(found).style.format(precision=3), visible=True)


def find_labels(text: str, file: LoadedFile | None) -> list[str]:
    """Find each sentence's label in the file it came from.

    Returns:
        One per sentence, empty where it has none; none at all where the file has no labels.
    """
    if file is None or not file.labels:
        return []
    return ["" if row is None else file.labels[row] for row in file.find_rows(split_lines(text))]


def describe_layers(found: LayeredSentences) -> str:
    """Say which embedding stands out, as Markdown."""
    its, rows = found.comparison, found.comparison.rows
    of_given = f" of {found.n_given:,}, spread evenly" if its.n_sentences < found.n_given else ""
    parts = [
        f"**{its.n_sentences:,} sentences**{of_given}, {its.n_pairs:,} pairs. {as_plain_markdown(found.model.id)} itself "
        f"uses *{_pooling(found)}* after layer {its.own.layer}, whose mean cosine is **{its.own.anisotropy:.2f}**."
    ]
    evenest = min(rows, key=lambda row: abs(row.anisotropy))
    if abs(evenest.anisotropy) < abs(its.own.anisotropy) - _SAME:
        parts.append(f"Nearest to 0 is {_name(evenest)}: {evenest.anisotropy:.2f}.")
    else:
        parts.append("None is nearer to 0.")
    if len({row.layer for row in rows}) == 1:
        parts.append("Its architecture has no hidden states between its layers that can be read as they are.")
    if its.chance is not None and its.own.label_agreement is not None:
        best = max(rows, key=lambda row: row.label_agreement or 0.0)
        parts.append(
            f"Of a sentence's {its.n_neighbours} nearest, **{its.own.label_agreement:.0%}** have its label, "
            f"{its.chance:.0%} by chance ({its.n_labelled:,} sentences have one). Best at this is {_name(best)}: "
            f"{best.label_agreement:.0%}."
        )
    return " ".join(parts)


def tabulate_layers(found: LayeredSentences) -> pd.DataFrame:
    """Tabulate measures, those of the model's own embedding first."""
    its = found.comparison
    table = pd.DataFrame(
        [
            (
                row.layer,
                row.pooling or f"its own: {_pooling(found)}",
                row.anisotropy,
                row.rank_correlation,
                row.label_agreement,
            )
            for row in (its.own, *its.rows)
        ],
        columns=["layer", "pooling", *_MEASURES],
    )
    return table if its.chance is not None else table.drop(columns=_MEASURES[-1])


def _name(row: EmbeddingMeasures) -> str:
    return f"*{row.pooling}* after layer {row.layer}"


def _pooling(found: LayeredSentences) -> str:
    return " and ".join(found.model.pooling)
