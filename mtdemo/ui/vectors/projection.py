"""The part of the page that draws sentences as points on a map, with their true neighbours and their groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

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
from mtdemo.ui.components.sentence_box import HOUR_S, MAX_CHARACTERS, MAX_ROWS, SentenceBox, ask, read_lines
from mtdemo.ui.vectors.ranked import render_ranked

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_COLUMNS = 8  # of a file, that can be chosen from
_MAX_DIGITS = 9  # of the number of a sentence
_COLUMN = "column: "  # before the name of one
COLORINGS = ("class", "entity type", "cluster")
_ABOUT = (
    "Each point is a sentence. Click one, or write its number, to see its neighbours in the original space: a map of two "
    "dimensions cannot show all of them side by side. With the lasso in the corner of a flat map, draw around points to "
    "have them in a table."
)
_COMPILED = "; the first time it is compiled, too, which takes half a minute"
_TRUST = ((0.95, "nearly all"), (0.85, "most"), (0.7, "some"), (0.0, "few"))
_QUIET: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
_IN_PLACE = "(figure) => { window.mtdemo?.redraw('#map .js-plotly-plot', figure); }"
_Wish: TypeAlias = Callable[[SentenceMap | None, str], bool]  # whether a text is to be laid out, after the last map


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
        method = gr.Radio(available_methods(), value="PCA", label="Method", scale=2, elem_id="map-method")
        n_dimensions = gr.Radio(
            [("2-D", 2), ("3-D", 3)], value=2, label="Dimensions", scale=1, min_width=120, elem_id="map-dimensions"
        )
        coloring = gr.Radio(COLORINGS, value="class", label="Coloured by", scale=2, elem_id="map-coloring")
        n_clusters = gr.Slider(2, MAX_CLUSTERS, 5, step=1, label="Clusters", scale=1, min_width=140, elem_id="map-clusters")
        stop = gr.Button("Stop", visible=False, size="sm", scale=0, min_width=90)
    with gr.Row(elem_classes="controls"):
        pattern = gr.Textbox(
            label="Show only sentences that hold", max_lines=1, scale=3, min_width=260, elem_id="map-filter"
        )
        is_regex = gr.Checkbox(label="as a regular expression", scale=1, min_width=180, elem_id="map-regex")
    note = gr.Markdown(elem_classes="note", elem_id="map-note")
    figure = gr.Plot(label="Map", show_label=False, elem_id="map")
    count = gr.Markdown(elem_classes="introduction", elem_id="map-count")
    gr.Markdown(_ABOUT, elem_classes="introduction")
    point = gr.Number(None, label="Neighbours of sentence number", precision=0, minimum=1, elem_id="map-point")
    neighbours = gr.HTML(apply_default_css=False, elem_id="neighbours")
    with gr.Accordion("Clusters and the words that set them apart", open=False):
        clusters = gr.Dataframe(label="Clusters", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    csv = gr.DownloadButton("Download the places as CSV", interactive=False, size="sm", elem_classes="single")
    selected = _add_selection(vectors, drawn, csv.GRADIO_CACHE)
    look = [drawn, coloring, pattern, is_regex, box.file]
    box.fill_with(model, None, "", offer_columns, coloring, also=[box.file])
    changes = [method.input, n_dimensions.input, n_clusters.release]
    asked, laid_out = [box.asked, model, method, n_dimensions, n_clusters, drawn], [drawn, note, clusters, csv, stop]
    more: dict[str, Any] = {"show_progress_on": [figure], "concurrency_limit": 2, "concurrency_id": "maps"}
    fill = partial(lay_out, vectors, directory=csv.GRADIO_CACHE)
    running = []
    for triggers, wish in (([opened.select], is_missing), ([box.n_answers.change], is_there), (changes, always)):
        event = gr.on(triggers, partial(fill, wish=wish), asked, laid_out, **_QUIET, **more)
        # What was read meanwhile found no map to lay out anew, or one that was replaced by this, of an earlier text.
        again = event.success(partial(fill, wish=is_of_another), asked, laid_out, api_visibility="private", **more)
        again.success(redraw_anew, look, [figure, count, selected], api_visibility="private", show_progress="hidden")
        running += [event, again]
    stop.click(stop_layout, drawn, [stop, method], cancels=running, api_visibility="private", show_progress="hidden")
    looks = gr.Textbox(visible=False, label="The map as it is to look")
    seen = [coloring.input, pattern.submit, pattern.blur, is_regex.input]
    gr.on(seen, redraw_in_place, look, [looks, count], **_QUIET, show_progress="hidden").success(
        None, looks, None, js=_IN_PLACE
    )
    point.change(partial(show_neighbours, vectors), [box.asked, model, point], neighbours, **_QUIET, show_progress="hidden")
    box.n_answers.change(None, None, point, js="() => null")


def _add_selection(vectors: VectorService, drawn: gr.State, directory: str) -> gr.Textbox:
    """Add the table of the points that were drawn around.

    Returns:
        Their numbers, which the browser writes.
    """
    numbers = gr.Textbox(visible="hidden", label="Numbers of the selected sentences", elem_id="map-selection")
    found = gr.Markdown(elem_classes="note")
    table = gr.Dataframe(visible=False, label="Selected", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    csv = gr.DownloadButton("Download the selected as CSV", interactive=False, size="sm", elem_classes="single")
    chosen = [found, table, csv]
    numbers.change(partial(show_selection, vectors, directory), [drawn, numbers], chosen, **_QUIET, show_progress="hidden")
    return numbers


@shows_errors
def show_selection(
    vectors: VectorService, directory: str, drawn: SentenceMap | None, numbers: str
) -> tuple[str, Any, gr.DownloadButton]:
    """Tabulate the points that were drawn around.

    Args:
        vectors: says how much files may have together.
        directory: where files are put.
        drawn: the map; None where there is none.
        numbers: of sentences, from 1 on, with commas between.
    """
    n = len(drawn.texts) if drawn else 0
    given = {int(each) for each in (numbers or "").split(",") if each.isdecimal() and len(each) < _MAX_DIGITS}
    positions = sorted(number - 1 for number in given if 0 < number <= n)
    if drawn is None or not positions:
        return "", gr.Dataframe(visible=False), gr.DownloadButton(interactive=False)
    places = tabulate_places(drawn)
    places.insert(0, "number", range(1, n + 1))
    table = places.iloc[positions]
    cut = f" The first {MAX_ROWS} are listed; the file has all." if len(positions) > MAX_ROWS else ""
    on_page = gr.Dataframe(table.drop(columns=[*"xyz"], errors="ignore")[:MAX_ROWS], visible=True)
    button = offer_table(table, "selected", directory, vectors.service)
    return f"**{len(positions):,}** of {n:,} sentences are selected.{cut}", on_page, button


def stop_layout(drawn: SentenceMap | None) -> tuple[Any, str]:
    """Choose the method of the map that stays."""
    return gr.Button(visible=False), drawn.projection.method if drawn else "PCA"


def is_missing(drawn: SentenceMap | None, text: str) -> bool:
    """Tell if there is no map of a text."""
    return not is_there(drawn, text) or is_of_another(drawn, text)


def is_there(drawn: SentenceMap | None, text: str) -> bool:
    """Tell if there is a map.

    Then the next text wants one, too: only who opens this part has a map laid out, and then after each reading.
    """
    return drawn is not None


def is_of_another(drawn: SentenceMap | None, text: str) -> bool:
    """Tell if the map is of another text."""
    return drawn is not None and list(drawn.texts) != read_lines(text)


def always(drawn: SentenceMap | None, text: str) -> bool:
    """Want a map in any case."""
    return True


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
    wish: _Wish = always,
) -> Iterator[tuple[Any, ...]]:
    """Lay the sentences out, step by step.

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
        wish: tells, of the last map and the text, if this is to do anything.

    Yields:
        The map, a note, the table of clusters, the file of places and the button that stops it. All but the button stay as
        they are until the last.
    """
    if not text or not wish(drawn, text):
        yield (gr.skip(),) * 5
        return
    question = partial(vectors.draw_map_in_steps, method=method, n_dimensions=int(n_dimensions), n_clusters=int(n_clusters))
    steps = ask(vectors.service, question, text, model, progress)
    if method != "PCA":
        progress(None, desc=f"{method} looks for neighbours{_COMPILED if method == 'UMAP' else ''}")
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            drawn = end.value
            break
        progress((done, total), desc=f"{method} lays the sentences out", unit="iterations")
        yield *(gr.skip(),) * 4, gr.Button(visible=True)
    button = offer_table(tabulate_places(drawn), "places", directory, vectors.service)
    described = describe_projection(drawn.projection)
    yield drawn, described, tabulate_clusters(drawn), button, gr.Button(visible=False)


def redraw_anew(*given: Any) -> tuple[Figure | None, str, str]:
    """Draw a map that was just laid out, nothing selected."""
    return *redraw(*given), ""


def redraw_in_place(*given: Any) -> tuple[str, str]:
    """Draw a map anew, as JSON for the figure there.

    A new figure would make its drawing contexts anew, which takes a browser longer than the points.
    """
    figure, count = redraw(*given)
    return (figure.to_json() if figure else ""), count


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
