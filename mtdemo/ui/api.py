"""Endpoints without a screen: the questions of the REST interface, for gradio's own clients.

Their docstrings are what the page's API documentation shows.
"""

from __future__ import annotations

import gradio as gr

from mtdemo.planning.planner import Planner
from mtdemo.rest.questions import Questions, Records
from mtdemo.rest.vector_questions import VectorQuestions
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.label_questions import LabelQuestions
from mtdemo.ui.why.panels import EXPLANATIONS


def add_endpoints(vectors: VectorService, planner: Planner) -> None:
    """Add the endpoints that are not tabs."""
    its, of_many = Questions(vectors.service, planner), VectorQuestions(vectors)
    of_labels = LabelQuestions(vectors.service)

    def embed(sentences: list[str]) -> Records:  # one value, as callers by HTTP send it, who must name all
        """Embed sentences.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, embedding (made as `model` says), norm, model.
        """
        return its.embed(sentences)

    def analyze(sentences: list[str]) -> Records:
        """Embed, classify and find entities at once.

        Returns per sentence all that the three endpoints return.
        """
        return its.analyze(sentences)

    questions = (
        *(embed, its.similarity, its.classify, its.entities, analyze, its.freezing_plan),
        *(of_labels.examine_classes, of_labels.examine_entities),
        *(of_many.scale, of_many.rank, of_many.duplicates, of_many.map, of_many.layers),
    )
    for question in questions:
        gr.api(shows_errors(question), api_name=question.__name__, concurrency_limit=8, concurrency_id="endpoints")
    gr.api(shows_errors(of_many.compare), api_name="compare", concurrency_limit=4)  # which may wait for a download
    for explanation in (
        its.explain,
        its.pieces,
        its.what_if,
        its.try_variants,
        its.swap_names,
        its.attribute,
        its.shared_words,
    ):
        gr.api(shows_errors(explanation), api_name=explanation.__name__, **EXPLANATIONS)
