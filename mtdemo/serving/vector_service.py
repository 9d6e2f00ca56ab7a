"""Questions about the vectors of many sentences, answered beside the service that reads them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from mtdemo.analysis.vectors.agreement import Agreement, compare_answers
from mtdemo.analysis.vectors.alignment import AlignedMaps, align_maps
from mtdemo.analysis.vectors.background import Background, measure_background
from mtdemo.analysis.vectors.clusters import Cluster, find_clusters
from mtdemo.analysis.vectors.layers import LayerComparison, compare_layers
from mtdemo.analysis.vectors.projection import Projection, finish, project_in_steps
from mtdemo.analysis.vectors.ranking import Ranking, rank
from mtdemo.data.marked_text import read_sample
from mtdemo.results import Analysis, ModelInfo, ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.service import ModelService

MAX_LAYERED = 1_000  # sentences that are read after each layer
_MAX_LAYERED_BYTES = 128_000_000  # of all their embeddings
MIN_OWN = 100  # different sentences from which on a person's own make the scale
_MAX_OWN = 1_000
_PROMPTS = (("query",), ("document", "passage", "corpus"))  # the names that sentence-transformers looks for
_SAMPLE, _OWN = "everyday sentences of this project", "of your sentences"


@dataclass(frozen=True, slots=True)
class RankedSentences:
    """Sentences in the order of their cosine to a query.

    Attributes:
        query: what they are compared with.
        analysis: the sentences, in their given order.
        ranking: their order.
        background: the scale that the cosines stand on.
        prompts: names of the model's prompts that query and sentences were read with; None for its default.
    """

    query: SentenceAnalysis
    analysis: Analysis
    ranking: Ranking
    background: Background
    prompts: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class SentenceMap:
    """Sentences on a map, with their groups.

    Attributes:
        texts: the sentences.
        classes: of each, the likeliest.
        types: of each, the entity type that covers most of it, or `none`.
        projection: their places.
        clusters: their groups in the original space.
    """

    texts: tuple[str, ...]
    classes: tuple[str, ...]
    types: tuple[str, ...]
    projection: Projection
    clusters: tuple[Cluster, ...]

    @property
    def cluster_numbers(self) -> tuple[int, ...]:
        """The cluster of each sentence, from 1 on."""
        numbers = [0] * len(self.texts)
        for number, cluster in enumerate(self.clusters, start=1):
            for member in cluster.members:
                numbers[member] = number
        return tuple(numbers)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of two models to the same sentences, compared.

    Attributes:
        one, other: the answers of each.
        agreement: where they differ.
        maps: their maps, laid over one another; None for few sentences.
    """

    one: Analysis
    other: Analysis
    agreement: Agreement
    maps: AlignedMaps | None


@dataclass(frozen=True, slots=True)
class LayeredSentences:
    """Sentences read after each layer of a model.

    Attributes:
        model: which read them.
        comparison: its layers and poolings.
        n_given: sentences; where there are more than were read, these were spread evenly over them.
    """

    model: ModelInfo
    comparison: LayerComparison
    n_given: int


class VectorService:
    """Answers about many vectors of a model.

    What depends on the model alone is computed once.

    Args:
        service: reads sentences, within its limits and from its cache.

    Every method may be called from any thread.
    """

    def __init__(self, service: ModelService) -> None:
        self.service = service
        self._backgrounds: WeakKeyDictionary[Any, Background] = WeakKeyDictionary()  # they leave with their models

    def background(self, model: str | None = None) -> Background:
        """Return the scale of a model's cosines.

        It is of the sentences that this project keeps aside from training.

        Args:
            model: as in `ModelService.analyze`, whose errors may be raised.
        """
        network = self.service.get_model(model, "embedding").model
        known = self._backgrounds.get(network)
        if known is None:
            answers = self.service.analyze_stream([sentence.text for sentence in read_sample().test], model)
            readable = [answer.embedding for answer in answers if isinstance(answer, SentenceAnalysis)]
            known = measure_background(np.stack(readable), _SAMPLE)
            self._backgrounds[network] = known
        return known

    def background_of(self, analysis: Analysis, model: str | None = None) -> Background:
        """Return the scale for sentences: their own, if many.

        Args:
            analysis: the sentences, by that model.
            model: as in `background`.
        """
        first = first_of_each([sentence.text for sentence in analysis])
        if len(first) < MIN_OWN:
            return self.background(model)
        spread = first[:: -(-len(first) // _MAX_OWN)]  # over the whole file, whose parts may differ
        return measure_background(np.stack([analysis.sentences[place].embedding for place in spread]), _OWN)

    def rank(
        self, query: str, sentences: Sequence[str], model: str | None = None, progress: ProgressCallback = no_progress
    ) -> RankedSentences:
        """Order sentences by their cosine to a query.

        Query and sentences are read with the model's prompts for them, where it has such.

        Args:
            query: a text that is not blank.
            sentences: as for `ModelService.analyze`, whose errors may be raised.
            model: as there.
            progress: as there.
        """
        prompts = self.service.load(model).prompts
        of_query, of_sentences = (next((name for name in names if name in prompts), None) for names in _PROMPTS)
        analysis = self.service.analyze(sentences, model, progress=progress, prompt=of_sentences)
        (asked,) = self.service.analyze([query], model, prompt=of_query)
        ranking = rank(asked.embedding, analysis.embeddings)
        return RankedSentences(asked, analysis, ranking, self.background_of(analysis, model), (of_query, of_sentences))

    def draw_map(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        method: str = "PCA",
        n_dimensions: int = 2,
        n_clusters: int = 5,
        progress: ProgressCallback = no_progress,
    ) -> SentenceMap:
        """Lay sentences out on a map, and group them.

        Arguments are those of `draw_map_in_steps`.
        """
        return finish(self.draw_map_in_steps(sentences, model, method, n_dimensions, n_clusters, progress))

    def draw_map_in_steps(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        method: str = "PCA",
        n_dimensions: int = 2,
        n_clusters: int = 5,
        progress: ProgressCallback = no_progress,
    ) -> Generator[tuple[int, int], None, SentenceMap]:
        """Lay sentences out on a map, step by step.

        Args:
            sentences: as for `ModelService.analyze`, whose errors may be raised.
            model: as there.
            method: as for `mtdemo.analysis.vectors.projection.project`, whose errors may be raised.
            n_dimensions: 2 or 3.
            n_clusters: at most; no more than there are sentences.
            progress: as in `ModelService.analyze`.

        Yields:
            As `project_in_steps`.

        Returns:
            The map.
        """
        analysis = self.service.analyze(sentences, model, progress=progress)
        embeddings, texts = analysis.embeddings, tuple(sentence.text for sentence in analysis)
        projection = yield from project_in_steps(embeddings, method, n_dimensions)
        clusters = find_clusters(embeddings, texts, min(n_clusters, len(texts)))
        return SentenceMap(
            texts,
            tuple(sentence.label for sentence in analysis),
            tuple(dominant_type(sentence) for sentence in analysis),
            projection,
            clusters,
        )

    def compare(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        other: str | None = None,
        progress: ProgressCallback = no_progress,
    ) -> Comparison:
        """Let two models answer the same sentences, and compare.

        Args:
            sentences: as for `ModelService.analyze`, whose errors may be raised.
            model: one model, as there.
            other: another.
            progress: as there.
        """
        one, two = (self.service.analyze(sentences, name, progress=progress) for name in (model, other))
        return Comparison(one, two, compare_answers(one, two), align_maps(one.embeddings, two.embeddings))

    def compare_layers(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        labels: Sequence[str] = (),
        progress: ProgressCallback = no_progress,
    ) -> LayeredSentences:
        """Read sentences after each layer, and pool in each way.

        All of it is from one forward pass. At most `MAX_LAYERED` sentences are read, fewer of a large model.

        Args:
            sentences: as for `ModelService.analyze`, whose errors may be raised.
            model: as there.
            labels: of the sentences, empty where one has none; none at all where there are no labels.
            progress: as there.

        Raises:
            InputError: there are too few sentences.
        """
        self.service.check(sentences)
        loaded = self.service.get_model(model, "embedding")
        from mtdemo.inference.layers import LayerReader

        reader, n_given = LayerReader(loaded), len(sentences)
        n_read = min(n_given, MAX_LAYERED, max(1, _MAX_LAYERED_BYTES // reader.n_bytes_per_sentence))
        places = [n_given * number // n_read for number in range(n_read)]
        texts = [sentences[place] for place in places]
        own = self.service.analyze(texts, model, progress=progress)
        outputs = self.service.read_windows(reader, texts, lambda encoded: [one.windows[0] for one in encoded], progress)
        of_texts = [labels[place] for place in places] if labels else ()
        compared = compare_layers(own.embeddings, reader.names[-1][1], reader.gather(outputs), of_texts)
        return LayeredSentences(own.model, compared, n_given)


def dominant_type(sentence: SentenceAnalysis) -> str:
    """Return the entity type that covers most of a sentence.

    `none` where nothing was found.
    """
    lengths: dict[str, int] = {}
    for entity in sentence.entities:
        lengths[entity.label] = lengths.get(entity.label, 0) + entity.end - entity.start
    return max(lengths, key=lambda label: lengths[label]) if lengths else "none"


def first_of_each(texts: Sequence[str]) -> list[int]:
    """Return the first place of each different text, in order."""
    places: dict[str, int] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, place)
    return list(places.values())
