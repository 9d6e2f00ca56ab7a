"""The part of the page that draws sentences as points on a map, with their true neighbours and their groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.analysis.vectors.clusters import MAX_CLUSTERS
from mtdemo.analysis.vectors.projection import Projection, available_methods, find_neighbours
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.serving.vector_service import SentenceMap, VectorService
from mtdemo.text.matching import match_texts
from mtdemo.ui.charts.vectors import plot_map
from mtdemo.ui.components.downloads import offer_table
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.sentence_box import HOUR_S, MAX_CHARACTERS, SentenceBox, ask
from mtdemo.ui.vectors.ranked import render_ranked

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_COLUMNS = 8  # of a file, that can be chosen from
_COLUMN = "column: "  # before the name of one
COLORINGS = ("class", "entity type", "cluster")
_ABOUT = (
    "Each point is a sentence. Click one, or write its number, to see its neighbours in the original space: a map of two "
    "dimensions cannot show all of them side by side."
)
_TRUST = ((0.95, "nearly all"), (0.85, "most"), (0.7, "some"), (0.0, "few"))
_QUIET: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}


def add_map(vectors: VectorService, box: SentenceBox, model: gr.State, opened: gr.Tab) -> None:
    """Add the part that draws a map.

    Args:
        vectors: answers.
        box: holds the sentences.
        model: the visitor's choice of model.
        opened: the tab that it stands in; a map is drawn when this is opened.
    """
    drawn = gr.State(None, time_to_live=HOUR_S)
    with gr.Row(elem_classes="controls"):
        method = gr.Radio(available_methods(), value="PCA", label="Method", scale=2)
        n_dimensions = gr.Radio([("2-D", 2), ("3-D", 3)], value=2, label="Dimensions", scale=1, min_width=120)
        coloring = gr.Radio(COLORINGS, value="class", label="Coloured by", scale=2)
        n_clusters = gr.Slider(2, MAX_CLUSTERS, 5, step=1, label="Clusters", scale=1, min_width=140)
    with gr.Row(elem_classes="controls"):
        pattern = gr.Textbox(label="Show only sentences that hold", max_lines=1, scale=3)
        is_regex = gr.Checkbox(label="as a regular expression", scale=1, min_width=180)
    note = gr.Markdown(elem_classes="note")
    figure = gr.Plot(label="Map", show_label=False, elem_id="map")
    count = gr.Markdown(elem_classes="introduction")
    gr.Markdown(_ABOUT, elem_classes="introduction")
    point = gr.Number(None, label="Neighbours of sentence number", precision=0, minimum=1, elem_id="map-point")
    neighbours = gr.HTML(apply_default_css=False, elem_id="neighbours")
    with gr.Accordion("Clusters and the words that set them apart", open=False):
        clusters = gr.Dataframe(label="Clusters", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    csv = gr.DownloadButton("Download the places as CSV", interactive=False, size="sm", elem_classes="single")
    look = [drawn, coloring, pattern, is_regex, box.file]
    box.fill_with(model, None, "", offer_columns, coloring, also=[box.file])
    changes = [method.input, n_dimensions.input, n_clusters.release]
    # Only who opens this part has a map laid out, and then after each reading.
    for triggers, was_drawn in (([opened.select], False), ([box.n_answers.change], True), (changes, None)):
        gr.on(
            triggers,
            partial(lay_out, vectors, directory=csv.GRADIO_CACHE, was_drawn=was_drawn),
            [box.asked, model, method, n_dimensions, n_clusters, drawn],
            [drawn, note, clusters, csv],
            **_QUIET,
            show_progress_on=[figure],
            concurrency_limit=2,
            concurrency_id="maps",
        ).then(redraw, look, [figure, count], api_visibility="private", show_progress="hidden")
    gr.on(
        [coloring.input, pattern.submit, pattern.blur, is_regex.input],
        redraw,
        look,
        [figure, count],
        **_QUIET,
        show_progress="hidden",
    )
    point.change(partial(show_neighbours, vectors), [box.asked, model, point], neighbours, **_QUIET, show_progress="hidden")
    box.n_answers.change(lambda: None, None, point, api_visibility="private", show_progress="hidden")


@shows_errors
def lay_out(
    vectors: VectorService,
    text: str,
    model: str | None,
    method: str,
    n_dimensions: int,
    n_clusters: int,
    drawn: SentenceMap | None,
    progress: gr.Progress = gr.Progress(),
    *,
    directory: str,
    was_drawn: bool | None = None,
) -> tuple[Any, ...]:
    """Lay the sentences out.

    Args:
        vectors: answers.
        text: one sentence per line.
        model: the visitor's choice of model.
        method: as `VectorService.draw_map` takes it.
        n_dimensions: as there.
        n_clusters: as there.
        drawn: the last map, None where there is none.
        progress: shown meanwhile.
        directory: where files are put.
        was_drawn: whether there must be a last map for this to do anything, or must be none; None for always.

    Returns:
        The map, a note, the table of clusters and the file of places.
    """
    if not text or (was_drawn is not None and was_drawn != (drawn is not None)):
        return (gr.skip(),) * 4
    if method != "PCA":
        progress(None, desc=f"{method} lays the sentences out, which takes seconds")
    question = partial(vectors.draw_map, method=method, n_dimensions=int(n_dimensions), n_clusters=int(n_clusters))
    drawn = ask(vectors.service, question, text, model, progress)
    button = offer_table(tabulate_places(drawn), "places", directory, vectors.service)
    return drawn, describe_projection(drawn.projection), tabulate_clusters(drawn), button


@shows_errors
def redraw(
    drawn: SentenceMap | None, coloring: str, pattern: str, is_regex: bool, file: LoadedFile | None = None
) -> tuple[Figure | None, str]:
    """Colour and filter a map that is laid out."""
    if drawn is None:
        return None, ""
    shown = match_texts(drawn.texts, pattern or "", is_regex)
    count = f"**{sum(shown):,}** of {len(shown):,} sentences are shown." if not all(shown) else ""
    return plot_map(drawn, color_values(drawn, coloring, file), shown), count


@shows_errors
def show_neighbours(
    vectors: VectorService, text: str, model: str | None, number: float | None, progress: gr.Progress = gr.Progress()
) -> str:
    """List the nearest others of a sentence, by its number."""
    if not number or not text:
        return ""
    analysis = ask(vectors.service, vectors.service.analyze, text, model, progress)
    position = int(number) - 1
    if not 0 <= position < len(analysis):
        return f'<p class="waiting">There are {len(analysis):,} sentences; {int(number):,} is none of them.</p>'
    texts = [sentence.text for sentence in analysis]
    ranked = [(position, 1.0), *find_neighbours(analysis.embeddings, position)]
    return render_ranked(texts, ranked, vectors.background_of(analysis, model))


def offer_columns(text: str, model: str | None, file: LoadedFile | None) -> Any:
    """Offer what points can be coloured by."""
    columns = [name for name in file.columns if name != file.text_column][:MAX_COLUMNS] if file else []
    return gr.Radio([*COLORINGS, *((f"column {name}", f"{_COLUMN}{name}") for name in columns)], value=COLORINGS[0])


def color_values(drawn: SentenceMap, coloring: str, file: LoadedFile | None = None) -> Sequence[str]:
    """Return what each sentence is coloured by."""
    column = coloring.removeprefix(_COLUMN)
    if file and coloring.startswith(_COLUMN) and column in file.columns:
        cells = file.values(column)
        return ["no value" if row is None else cells[row] or "no value" for row in file.find_rows(drawn.texts)]
    if coloring == "cluster":
        return [f"cluster {number}" for number in drawn.cluster_numbers]
    return drawn.types if coloring == "entity type" else drawn.classes


def describe_projection(projection: Projection) -> str:
    """Say how far to trust the picture, as Markdown."""
    method = f"**{projection.method}** of the embeddings, each brought to length 1 first."
    if projection.explained:
        shares = " + ".join(f"{100 * share:.0f}%" for share in projection.explained)
        axes = f"Its axes keep {shares} = **{100 * sum(projection.explained):.0f}%** of the variance."
    else:
        axes = "Its axes and the distances between its groups mean nothing; who stands beside whom does."
    trust, continuity = projection.trustworthiness, projection.continuity
    if trust is None or continuity is None:
        return f"{method} {axes} There are too few sentences to judge the picture by."
    on = f", judged on {projection.n_judged:,} of the sentences" if projection.n_judged < len(projection.places) else ""
    return (
        f"{method} {axes} Of those who stand together here, **{_share(trust)}** are neighbours in the original space "
        f"(trustworthiness {trust:.2f}); of true neighbours, **{_share(continuity)}** stand together (continuity "
        f"{continuity:.2f}), at k = {projection.n_neighbours}{on}."
    )


def tabulate_places(drawn: SentenceMap) -> pd.DataFrame:
    """Tabulate sentences with their places and groups."""
    places = drawn.projection.places
    return pd.DataFrame(
        {
            "sentence": drawn.texts,
            **{axis: places[:, place] for place, axis in enumerate("xyz"[: places.shape[1]])},
            "class": drawn.classes,
            "entity type": drawn.types,
            "cluster": drawn.cluster_numbers,
        }
    )


def tabulate_clusters(drawn: SentenceMap) -> pd.DataFrame:
    """Tabulate each cluster's size, words and middle."""
    return pd.DataFrame(
        [
            (
                number,
                len(cluster.members),
                ", ".join(cluster.words) or "no word sets it apart",
                round(cluster.cohesion, 3),
                drawn.texts[cluster.members[0]],
            )
            for number, cluster in enumerate(drawn.clusters, start=1)
        ],
        columns=["cluster", "sentences", "words that set it apart", "cosine to its middle", "most central sentence"],
    )


def _share(value: float) -> str:
    return next(words for least, words in _TRUST if value >= least)
