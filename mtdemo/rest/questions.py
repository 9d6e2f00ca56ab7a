"""The questions that programs ask, answered as JSON: one code for the REST interface and for gradio's named endpoints.

The docstrings are what both show as documentation.
"""

from __future__ import annotations

from typing import Any

from mtdemo.analysis.similarity import MAX_MATRIX, rank_by_similarity
from mtdemo.config import EMBEDDED
from mtdemo.errors import EmptyInputError, InputError, TooMuchInputError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.rest.explanations import Explanations
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable

Record = dict[str, Any]
Records = list[Record]


class Questions(Explanations):
    """Answers to programs, as plain dictionaries and lists.

    Args:
        service: answers about sentences.
        planner: plans what trains.
    """

    def __init__(self, service: ModelService, planner: Planner) -> None:
        super().__init__(service)
        self._service = service
        self._planner = planner

    def embed(self, sentences: list[str], prompt: str | None = None) -> Records:
        """Embed sentences.

        prompt: name of one of the model's prompts, such as query or document, which is read before each sentence. Returns
        per sentence: text, n_tokens, n_truncated, n_unknown, embedding (made as `model` says), norm, model.
        """
        analysis = self._service.analyze(readable(sentences), prompt=prompt)
        return [{**sentence.embedding_as_dict(), "model": analysis.model.id} for sentence in analysis]

    def classify(self, sentences: list[str]) -> Records:
        """Classify sentences.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, label, probabilities, model, trained.
        """
        analysis = self._service.analyze(readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.classifies}
        return [{**sentence.classification_as_dict(), **about} for sentence in analysis]

    def entities(self, sentences: list[str]) -> Records:
        """Find entities.

        Returns per sentence: text, n_tokens, n_truncated, n_unknown, model, trained, and entities: text, label, score (0
        to 1), start and end (characters, end exclusive).
        """
        analysis = self._service.analyze(readable(sentences))
        about = {"model": analysis.model.id, "trained": analysis.model.finds_entities}
        return [{**sentence.entities_as_dict(), **about} for sentence in analysis]

    def analyze(self, sentences: list[str], prompt: str | None = None) -> Records:
        """Embed, classify and find entities at once.

        prompt: as for embed. Returns per sentence all that the three endpoints return.
        """
        analysis = self._service.analyze(readable(sentences), prompt=prompt)
        about = {"model": analysis.model.id, "trained_heads": list(analysis.model.trained_heads)}
        return [{**sentence.as_dict(), **about} for sentence in analysis]

    def similarity(self, sentences: list[str]) -> Record:
        """Compare sentences.

        At most 1,000, whose matrix has a million cosines. Returns sentences (text, n_tokens, n_truncated, n_unknown),
        similarity (matrix of cosines, -1 to 1), most_similar and least_similar (pairs of positions with their cosine),
        model.
        """
        given = readable(sentences)
        if len(given) > MAX_MATRIX:
            raise TooMuchInputError(
                f"{len(given):,} sentences were given; the cosines of at most {MAX_MATRIX:,} are sent as a matrix. Rank "
                "them, or look for duplicates, which takes as many as are read at once."
            )
        result = self._service.similarity(given)
        return {**result.as_dict(), "model": result.analysis.model.id}

    def rank(self, query: str, sentences: list[str], n_best: int | None = None) -> Record:
        """Rank sentences by their similarity to a query.

        Returns query (text, n_tokens, n_truncated, n_unknown), ranked (the same of each sentence, its position from 0 and
        its cosine, best first, at most n_best), model.
        """
        if isinstance(sentences, list) and not sentences:
            raise EmptyInputError("There is no sentence to rank. Give at least one beside the query.")
        analysis = self._service.analyze(readable([query, *readable(sentences)]))
        first, *others = analysis
        order = rank_by_similarity(first.embedding, [sentence.embedding for sentence in others])
        ranked = [
            {"position": position, "similarity": cosine, **others[position].length_as_dict()}
            for position, cosine in order[:n_best]
        ]
        return {"query": first.length_as_dict(), "ranked": ranked, "model": analysis.model.id}

    def freezing_plan(
        self,
        backbone: str = EMBEDDED,
        scenario: str = SCENARIOS[0].name,
        n_frozen_layers: int = 0,
        n_frozen_last_layers: int = 0,
    ) -> Record:
        request = PlanRequest(backbone, scenario, n_frozen_layers, n_frozen_last_layers)
        return {"backbone": backbone, "scenario": scenario, **self._planner.plan(request).as_dict()}


def _list_names(*names: str) -> str:
    """List names: `a, b, c -> a, b or c`."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


Questions.freezing_plan.__doc__ = (  # from the tables, so that it names every backbone and scenario
    f"Plan what trains; nothing is changed. backbone: {_list_names(*(known.id for known in KNOWN_MODELS))}; scenario: "
    f"{_list_names(*(scenario.name for scenario in SCENARIOS))}; n_frozen_layers: from 1 on, the embeddings and that "
    "many of the lowest layers are frozen in addition; n_frozen_last_layers: so many of the highest. Returns totals, "
    "parts, optimizer groups, cost of a step and warnings."
)


def readable(sentences: list[str]) -> list[str]:
    """Replace lone surrogates, which JSON can carry.

    What is no string is left, and named by the service.
    """
    if not isinstance(sentences, list):
        raise InputError(f"`sentences` must be a list of strings, not {type(sentences).__name__}.")
    return [replace_unreadable(sentence) if isinstance(sentence, str) else sentence for sentence in sentences]
