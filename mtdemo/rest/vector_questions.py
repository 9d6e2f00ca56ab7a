"""Questions about many vectors that programs ask, answered as JSON, for gradio's named endpoints.

The docstrings are what the page's documentation shows.
"""

from __future__ import annotations

from typing import Any

from mtdemo.analysis.vectors.ranking import find_duplicates
from mtdemo.config import EMBEDDED
from mtdemo.errors import InputError
from mtdemo.rest.questions import Record, readable
from mtdemo.serving.vector_service import Comparison, SentenceMap, VectorService


class VectorQuestions:
    """Answers to programs about many vectors, as plain dictionaries.

    Args:
        vectors: answers.
    """

    def __init__(self, vectors: VectorService) -> None:
        self._vectors = vectors

    def scale(self) -> Record:
        """Measure the cosines of random pairs, the model's scale.

        Returns anisotropy (their mean), n_pairs, n_sentences, source, percentiles (the cosines below which 1, 5, 25, 50,
        75, 95 and 99 percent of the pairs are) and model.
        """
        background = self._vectors.background()
        return {**background.as_dict(), "percentiles": background.percentiles(), "model": self._model()}

    def rank(self, query: str, sentences: list[str], n_best: int | None = None) -> Record:
        """Rank sentences by their similarity to a query.

        Both are read with the model's prompts for queries and documents, where it has such. Returns query (text, n_tokens,
        n_truncated, n_unknown), ranked (the same of each sentence, its position from 0, its cosine as similarity, and
        percentile, the percent of random pairs below it; best first, at most n_best), anisotropy, model.
        """
        (asked,) = readable([query])
        found = self._vectors.rank(asked, readable(sentences))
        pairs = zip(found.ranking.positions.tolist(), found.ranking.cosines.tolist(), strict=True)
        ranked = [
            {
                "position": position,
                "similarity": cosine,
                "percentile": found.background.percentile(cosine),
                **found.analysis.sentences[position].length_as_dict(),
            }
            for position, cosine in list(pairs)[:n_best]
        ]
        return {
            "query": found.query.length_as_dict(),
            "ranked": ranked,
            "anisotropy": found.background.anisotropy,
            "model": found.analysis.model.id,
        }

    def duplicates(self, sentences: list[str], threshold: float = 0.9) -> Record:
        """Find pairs of sentences that nearly repeat one another.

        Returns n_pairs (all whose cosine reaches the threshold), pairs (the most similar 200: first, second, similarity),
        threshold, model.
        """
        analysis = self._vectors.service.analyze(readable(sentences))
        found = find_duplicates(analysis.embeddings, threshold)
        return {
            "n_pairs": found.n_pairs,
            "pairs": [pair.as_dict() for pair in found.pairs],
            "threshold": threshold,
            "model": analysis.model.id,
        }

    def map(self, sentences: list[str], method: str = "PCA", n_dimensions: int = 2, n_clusters: int = 5) -> Record:
        """Lay sentences out on a map, and group them.

        method: PCA or t-SNE (UMAP where it is installed); n_dimensions: 2 or 3. Returns places (a list per sentence),
        explained (share of the variance that each axis keeps; PCA alone), trustworthiness and continuity at n_neighbours on
        n_judged sentences, clusters (members, words that set it apart, cohesion), method, model.
        """
        if n_dimensions not in (2, 3):
            raise InputError(f"A map has 2 or 3 dimensions, not {n_dimensions}.")
        drawn = self._vectors.draw_map(readable(sentences), None, method, n_dimensions, n_clusters)
        return {**_map_as_dict(drawn), "model": self._model()}

    def compare(self, sentences: list[str], other: str = EMBEDDED) -> Record:
        """Let the server's model and another one answer, and compare.

        other: embedded, or any model id of the hub. Returns n_class_changes and n_entity_changes (None where heads cannot
        be compared), rank_correlation (Spearman's, of the cosines of all pairs), mean_cosines (of these, for each
        model), n_pairs, shared_neighbours (0 to 1) at n_neighbours, changed_neighbours (of the sentences whose true
        neighbours changed most: position, shared, only_one, only_other), disparity (of their maps by PCA after Procrustes
        alignment, 0 to 1; None for few sentences), rows (position, classes, distance of the class probabilities, entities
        of each model alone, shared_neighbours; the largest disagreement first), models.
        """
        return _comparison_as_dict(self._vectors.compare(readable(sentences), None, other))

    def layers(self, sentences: list[str], labels: list[str] | None = None) -> Record:
        """Compare the model's layers and poolings on sentences.

        labels: one per sentence, empty where one has none. Returns own (of the embedding that the model uses) and rows (of
        mean, cls and max after each layer), each with pooling, layer, anisotropy (the mean cosine of pairs),
        rank_correlation (Spearman's, of the cosines of pairs with those of own) and label_agreement (share of the
        nearest that have a sentence's label; None without labels); chance (the same of random pairs), n_sentences (at
        most 1,000 are read, spread evenly), n_given, n_pairs, n_neighbours, n_labelled, model.
        """
        if labels is not None and len(labels) != len(sentences):
            raise InputError(f"There are {len(sentences):,} sentences and {len(labels):,} labels; each needs one.")
        found = self._vectors.compare_layers(readable(sentences), None, readable(labels or []))
        return {**found.comparison.as_dict(), "n_given": found.n_given, "model": found.model.id}

    def _model(self) -> str:
        return self._vectors.service.load().id


def _map_as_dict(drawn: SentenceMap) -> Record:
    projection = drawn.projection
    return {
        "places": projection.places.tolist(),
        "explained": list(projection.explained),
        "trustworthiness": projection.trustworthiness,
        "continuity": projection.continuity,
        "n_neighbours": projection.n_neighbours,
        "n_judged": projection.n_judged,
        "clusters": [
            {"members": list(cluster.members), "words": list(cluster.words), "cohesion": cluster.cohesion}
            for cluster in drawn.clusters
        ],
        "method": projection.method,
    }


def _comparison_as_dict(compared: Comparison) -> Record:
    agreement = compared.agreement
    rows: list[dict[str, Any]] = [
        {
            "position": row.position,
            "classes": list(row.classes) if row.classes else None,
            "distance": row.distance,
            "only_one": [entity.as_dict() for entity in row.only_one],
            "only_other": [entity.as_dict() for entity in row.only_other],
            "shared_neighbours": row.shared_neighbours,
        }
        for row in agreement.rows
    ]
    return {
        "n_class_changes": agreement.n_class_changes if agreement.compares_classes else None,
        "n_entity_changes": agreement.n_entity_changes if agreement.compares_entities else None,
        "rank_correlation": agreement.rank_correlation,
        "mean_cosines": list(agreement.mean_cosines) if agreement.mean_cosines else None,
        "n_pairs": agreement.n_pairs,
        "shared_neighbours": agreement.shared_neighbours,
        "n_neighbours": agreement.n_neighbours,
        "changed_neighbours": [
            {
                "position": change.position,
                "shared": change.shared,
                "only_one": list(change.only_one),
                "only_other": list(change.only_other),
            }
            for change in agreement.changed
        ],
        "disparity": compared.maps.disparity if compared.maps else None,
        "rows": rows,
        "models": [compared.one.model.id, compared.other.model.id],
    }
