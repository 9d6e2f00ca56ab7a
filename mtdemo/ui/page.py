"""The page: one box, one tab per question about what stands in it, the model at the side, and the endpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.errors import MtdemoError
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.api import add_endpoints
from mtdemo.ui.components.file_loader import add_file_loader
from mtdemo.ui.components.link import read_query, write_query
from mtdemo.ui.components.model_picker import add_model_panel
from mtdemo.ui.components.sentence_box import SentenceBox, add_sentence_box, as_problem, whole_text
from mtdemo.ui.lab.plan_tab import add_freezing_tab
from mtdemo.ui.report import add_report
from mtdemo.ui.served_blocks import ServedBlocks
from mtdemo.ui.tabs.answers import add_answers_tab
from mtdemo.ui.tabs.classification import add_classification_tab
from mtdemo.ui.tabs.comparing import add_compare_tab
from mtdemo.ui.tabs.entities import add_entities_tab
from mtdemo.ui.tabs.similarity import add_embedding_tab
from mtdemo.ui.tabs.why import add_why_tab

TITLE = "mtdemo: one encoder, three answers"
TABS = ("answers", "similarity", "classification", "entities", "compare", "why", "freezing")
_HOUR_S = 3_600
_SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
_RESTORE = "() => { window.mtdemo?.restore(); }"
_HEADING = (
    '<a class="skip" href="#tabs">Skip to the answers</a>'
    "<h1>mtdemo</h1><p>one encoder, three answers: each sentence is read once</p>"
)
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build_page(service: ModelService, planner: Planner) -> gr.Blocks:
    """Build the page, without loading or reading anything yet.

    Args:
        service: answers about sentences.
        planner: plans what trains.
    """
    with ServedBlocks(title=TITLE, analytics_enabled=False, delete_cache=(_HOUR_S, _HOUR_S)) as page:
        with gr.Row(elem_id="header"):
            gr.HTML(_HEADING, apply_default_css=False)
            badge = gr.Button("Loading the model …", size="sm", elem_id="badge", min_width=80)
        vectors = VectorService(service)
        model, status = add_model_panel(service, page, badge)
        box = add_sentence_box()
        add_file_loader(service, box)
        with gr.Tabs(selected=TABS[0], overflow_behavior="wrap", elem_id="tabs") as tabs:
            with _tab("All answers", 0), add_answers_tab(vectors, box, model):
                add_report(service, box, model)
            with _tab("Embedding & similarity", 1):
                add_embedding_tab(vectors, box, model)
            with _tab("Classification", 2):
                add_classification_tab(service, box, model, status)
            with _tab("Entities", 3):
                add_entities_tab(service, box, model, status)
            with _tab("Compare", 4):
                add_compare_tab(vectors, box, model)
            with _tab("Why & what if", 5) as why:
                add_why_tab(service, why, box, model)
            with _tab("Freezing & optimizer", 6):
                add_freezing_tab(service, planner, page, Laboratory(service), model, status)
        _connect(service, page, box, model, tabs)
        add_endpoints(vectors, planner)
    return page


def _tab(title: str, place: int) -> gr.Tab:
    return gr.Tab(title, id=TABS[place], elem_id=f"tab-{TABS[place]}")


def _connect(service: ModelService, page: gr.Blocks, box: SentenceBox, model: gr.State, tabs: gr.Tabs) -> None:
    """Begin with the question of the link, and make links."""
    page.load(None, None, None, js=_SCRIPT)
    page.load(_open_in(service), box.n_wanted, [box.sentences, model, tabs, box.n_wanted, box.lesson], **_QUIET)
    # Behind the parts that are filled anew, which would undo what the link has set.
    box.fills[-1].then(None, None, None, js=_RESTORE)
    query = gr.Textbox(visible="hidden", label="Query string of the link")
    box.link.click(make_link, [box.sentences, model, box.file], [query, box.problem], **_QUIET).then(
        None, query, None, js="(query) => window.mtdemo?.link(query)"
    )


def _open_in(service: ModelService) -> Callable[[int, gr.Request], tuple[Any, ...]]:
    """Make the callback that a visit begins with.

    It is no partial, since gradio passes no request to one.
    """

    def open_page(n_wanted: int, request: gr.Request) -> tuple[Any, ...]:
        asked = read_query(dict(request.query_params), TABS, service.settings.hub_models)
        return (
            asked.text or gr.skip(),
            asked.model or gr.skip(),
            gr.Tabs(selected=asked.tab) if asked.tab else gr.skip(),
            n_wanted + 1,
            "" if asked.text else gr.skip(),
        )

    return open_page


def make_link(text: str, model: str | None, file: LoadedFile | None = None) -> tuple[str, str]:
    """Make the query string of a link, or refuse it."""
    try:
        return write_query(whole_text(text, file), model), ""
    except MtdemoError as error:
        return "", as_problem(str(error))
