"""The page: which model answers, one tab per question, and the endpoints."""

from __future__ import annotations

import gradio as gr

from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.api import add_endpoints
from mtdemo.ui.components.model_picker import add_model_choice
from mtdemo.ui.lab.plan_tab import add_freezing_tab
from mtdemo.ui.tabs.classification import add_classification_tab
from mtdemo.ui.tabs.entities import add_entities_tab
from mtdemo.ui.tabs.similarity import add_embedding_tab

TITLE = "mtdemo: one encoder, three answers"
_HOUR_S = 3_600


def build_page(service: ModelService, planner: Planner) -> gr.Blocks:
    """Build the page, without loading or reading anything yet.

    Args:
        service: answers about sentences.
        planner: plans what trains.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_HOUR_S, _HOUR_S)) as page:
        gr.Markdown(
            "# One encoder, three answers\n"
            "A single transformer reads your sentences **once**. From that one pass come an embedding, a class and named "
            "entities. The last tab is a laboratory: freeze parts, see what that costs, train a copy, and see what moved."
        )
        model, status = add_model_choice(service, page)
        with gr.Tab("Embedding & similarity"):
            add_embedding_tab(service, page, model)
        with gr.Tab("Classification"):
            add_classification_tab(service, page, model, status)
        with gr.Tab("Entities"):
            add_entities_tab(service, page, model, status)
        with gr.Tab("Freezing & optimizer"):
            add_freezing_tab(service, planner, page, Laboratory(service), model, status)
        add_endpoints(service, planner)
    return page
