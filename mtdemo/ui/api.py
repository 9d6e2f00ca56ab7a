"""Endpoints without a screen: sentences as JSON in, results as JSON out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mtdemo.errors import InputError
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.ui.components.messages import shows_errors

Records = list[dict[str, Any]]


def add_endpoints(service: ModelService, planner: Planner) -> None:
    """Add `/embed`, `/similarity`, `/classify`, `/entities`, `/analyze` and `/freezing_plan`."""

    def embed(sentences: list[str]) -> Records:
        """Embed sentences. Returns per sentence: text, n_tokens, n_truncated, embedding (not normalised), norm, model."""
        analysis = service.analyze(_readable(sentences))
        return [{**sentence.embedding_as_dict(), "model": analysis.model.id} for sentence in analysis]

    def classify(sentences: list[str]) -> Records:
        """Classify sentences. Returns per sentence: text, n_tokens, n_truncated, label, probabilities, model, trained."""
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.classifies}
        return [{**sentence.classification_as_dict(), **about} for sentence in analysis]

    def entities(sentences: list[str]) -> Records:
        """Find entities. Returns per sentence: text, n_tokens, n_truncated, model, trained, and entities: text, label,
        score (0 to 1), start and end (characters, end exclusive)."""
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.finds_entities}
        return [{**sentence.entities_as_dict(), **about} for sentence in analysis]

    def analyze(sentences: list[str]) -> Records:
        """Embed, classify and find entities at once. Returns per sentence all that the three endpoints return."""
        analysis = service.analyze(_readable(sentences))
        about = {"model": analysis.model.id, "trained_heads": list(analysis.model.trained_heads)}
        return [{**sentence.as_dict(), **about} for sentence in analysis]

    def similarity(sentences: list[str]) -> dict[str, Any]:
        """Compare sentences. Returns sentences (text, n_tokens, n_truncated), similarity (matrix of cosines, -1 to 1),
        most_similar and least_similar (pairs of positions with their cosine), model."""
        result = service.similarity(_readable(sentences))
        return {**result.as_dict(), "model": result.analysis.model.id}

    def freezing_plan(
        backbone: str = "embedded",
        scenario: str = "train_everything",
        n_frozen_layers: int = 0,
        n_frozen_last_layers: int = 0,
    ) -> dict[str, Any]:
        """Plan what trains; nothing is changed. backbone: embedded, bert-base-uncased or bert-large-uncased; scenario:
        train_everything, freeze_network, freeze_backbone, freeze_classification_head, freeze_ner_head, new_output_layer,
        gradual_unfreezing, biases_only or low_rank_adapters; n_frozen_layers: from 1 on, the embeddings and that many of
        the lowest layers are frozen in addition; n_frozen_last_layers: so many of the highest. Returns totals, parts,
        optimizer groups, cost of a step and warnings."""
        request = PlanRequest(backbone, scenario, n_frozen_layers, n_frozen_last_layers)
        return {"backbone": backbone, "scenario": scenario, **planner.plan(request).as_dict()}

    for endpoint in (embed, similarity, classify, entities, analyze, freezing_plan):
        gr.api(shows_errors(endpoint), api_name=endpoint.__name__, concurrency_limit=8, concurrency_id="endpoints")


def _readable(sentences: list[str]) -> list[str]:
    """JSON can carry lone surrogates, and anything instead of a list; what is no string is named by the service."""
    if not isinstance(sentences, list):
        raise InputError(f"`sentences` must be a list of strings, not {type(sentences).__name__}.")
    return [replace_unreadable(sentence) if isinstance(sentence, str) else sentence for sentence in sentences]
