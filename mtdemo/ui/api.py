"""Endpoints without a screen: the questions of the REST interface, for gradio's own clients.

Their docstrings are what the page's API documentation shows.
"""

from __future__ import annotations

import gradio as gr

from mtdemo.planning.planner import Planner
from mtdemo.rest.questions import Questions
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import shows_errors


def add_endpoints(service: ModelService, planner: Planner) -> None:
    """Add the endpoints that are not tabs."""
    its = Questions(service, planner)
    for question in (its.embed, its.similarity, its.classify, its.entities, its.analyze, its.freezing_plan):
        gr.api(shows_errors(question), api_name=question.__name__, concurrency_limit=8, concurrency_id="endpoints")
