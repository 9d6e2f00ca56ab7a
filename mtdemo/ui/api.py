"""Endpoints without a screen: sentences as JSON in, results as JSON out.

Their docstrings are what the page's API documentation shows.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED
from mtdemo.errors import InputError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.ui.components.events import shows_errors

Records = list[dict[str, Any]]


def _list_names(*names: str) -> str:
    """List names: `a, b, c -> a, b or c`."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


_FREEZING_PLAN = (
    f"Plan what trains; nothing is changed. backbone: {_list_names(*(known.id for known in KNOWN_MODELS))}; scenario: "
    f"{_list_names(*(scenario.name for scenario in SCENARIOS))}; n_frozen_layers: from 1 on, the embeddings and that "
    "many of the lowest layers are frozen in addition; n_frozen_last_layers: so many of the highest. Returns totals, "
    "parts, optimizer groups, cost of a step and warnings."
)


def add_endpoints(service: ModelService, planner: Planner) -> None:
    """Add the endpoints that are not tabs."""

    def embed(sentences: list[str]) -> Records:
        """Embed sentences.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, embedding (made as `model` says), norm, model.
        """
        analysis = service.analyze(_readable(sentences))
        return [{**sentence.embedding_as_dict(), "model": analysis.model.id} for sentence in analysis]

    def classify(sentences: list[str]) -> Records:
        """Classify sentences.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, label, probabilities, model, trained.
        """
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.classifies}
        return [{**sentence.classification_as_dict(), **about} for sentence in analysis]

    def entities(sentences: list[str]) -> Records:
        """Find entities.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, model, trained, and entities: text, label, score
        (0 to 1), start and end (characters, end exclusive).
        """
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.finds_entities}
        return [{**sentence.entities_as_dict(), **about} for sentence in analysis]

    def analyze(sentences: list[str]) -> Records:
        """Embed, classify and find entities at once.

        Returns per sentence all that the three endpoints return.
        """
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained_heads": list(analysis.model.trained_heads)}
        return [{**sentence.as_dict(), **about} for sentence in analysis]

    def similarity(sentences: list[str]) -> dict[str, Any]:
        """Compare sentences.

        Returns sentences (text, n_tokens, n_truncated, n_unknown), similarity (matrix of cosines, -1 to 1),
        most_similar and least_similar (pairs of positions with their cosine), model.
        """
        result = service.similarity(_readable(sentences))
        return {**result.as_dict(), "model": result.analysis.model.id}

    for endpoint in (embed, similarity, classify, entities, analyze):
        _add_endpoint(endpoint)
    _add_planning(planner)


def _add_planning(planner: Planner) -> None:
    def freezing_plan(
        backbone: str = EMBEDDED,
        scenario: str = SCENARIOS[0].name,
        n_frozen_layers: int = 0,
        n_frozen_last_layers: int = 0,
    ) -> dict[str, Any]:
        request = PlanRequest(backbone, scenario, n_frozen_layers, n_frozen_last_layers)
        return {"backbone": backbone, "scenario": scenario, **planner.plan(request).as_dict()}

    freezing_plan.__doc__ = _FREEZING_PLAN  # from the tables, so that it names every backbone and scenario
    _add_endpoint(freezing_plan)


def _add_endpoint(endpoint: Any) -> None:
    gr.api(shows_errors(endpoint), api_name=endpoint.__name__, concurrency_limit=8, concurrency_id="endpoints")


def _readable(sentences: list[str]) -> list[str]:
    """Replace lone surrogates, which JSON can carry.

    What is no string is left, and named by the service.
    """
    if not isinstance(sentences, list):
        raise InputError(f"`sentences` must be a list of strings, not {type(sentences).__name__}.")
    return [replace_unreadable(sentence) if isinstance(sentence, str) else sentence for sentence in sentences]
