"""Models that answer: one in memory, or several put together, which the service asks alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mtdemo.models.repository.together import SEPARATOR, PartNames, refuse_to_train
from mtdemo.results import ANSWER_PARTS, ModelInfo, Reading, SentenceAnalysis

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel


class Entry(Protocol):
    """A model that is asked, of one network or several.

    Attributes:
        info: what people are told.
        models: the networks that read a sentence, each once; the first makes the embedding.
        parts: those of embedding, classes and entities.
        n_bytes: memory of their weights.
    """

    @property
    def info(self) -> ModelInfo: ...
    @property
    def models(self) -> tuple[ModelEntry, ...]: ...
    @property
    def parts(self) -> tuple[ModelEntry, ModelEntry, ModelEntry]: ...
    @property
    def n_bytes(self) -> int: ...

    def model_of(self, part: str | None) -> LoadedModel:
        """Return the network that one of `ANSWER_PARTS` is of.

        Raises:
            CheckpointError: there are several, and no part was named.
        """

    def join(self, readings: Sequence[SentenceAnalysis]) -> SentenceAnalysis:
        """Make one answer of those of the networks."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in memory and the number of its load.

    A model that left and came back is another one to the cache.
    """

    number: int
    name: str
    loaded: LoadedModel

    @property
    def info(self) -> ModelInfo:
        return replace(self.loaded.info, place=self.loaded.place)  # it may have left a GPU meanwhile

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return (self,)

    @property
    def parts(self) -> tuple[ModelEntry, ModelEntry, ModelEntry]:
        return (self, self, self)

    @property
    def n_bytes(self) -> int:
        return self.loaded.n_bytes

    def model_of(self, part: str | None) -> LoadedModel:
        """Return the model, whatever the part."""
        return self.loaded

    def join(self, readings: Sequence[SentenceAnalysis]) -> SentenceAnalysis:
        """Return its own answer as it is."""
        return readings[0]


@dataclass(frozen=True, slots=True)
class TogetherEntry:
    """Three models put together.

    Attributes:
        parts: the models of embedding, classes and entities; two or all three may be the same.
    """

    parts: tuple[ModelEntry, ModelEntry, ModelEntry]

    @property
    def info(self) -> ModelInfo:
        return describe_together([part.info for part in self.parts])

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        return tuple({part.number: part for part in self.parts}.values())

    @property
    def n_bytes(self) -> int:
        return sum(model.n_bytes for model in self.models)

    def model_of(self, part: str | None) -> LoadedModel:
        """Return the model of a part.

        Raises:
            CheckpointError: none is named, and there are several.
        """
        if part is None and len(self.models) > 1:
            raise refuse_to_train(self.info.id, PartNames(*self.info.sources))
        return self.parts[ANSWER_PARTS.index(part or ANSWER_PARTS[0])].loaded

    def join(self, readings: Sequence[SentenceAnalysis]) -> SentenceAnalysis:
        """Take embedding, classes and entities from their models.

        The counts are sums: what a model of entities alone had no room for was read in further windows.
        """
        of_model = dict(zip((model.number for model in self.models), readings, strict=True))
        embedding, classes, entities = (of_model[part.number] for part in self.parts)
        cut = {part.number: of_model[part.number].n_truncated for part in self.parts[:2]}
        return replace(
            embedding,
            n_tokens=sum(reading.n_tokens for reading in readings),
            n_truncated=sum(cut.values()),
            n_unknown=sum(reading.n_unknown for reading in readings),
            probabilities=classes.probabilities,
            entities=entities.entities,
            readings=(_counts_of(embedding), _counts_of(classes), _counts_of(entities)),
        )


def join_variant(
    base: tuple[ModelEntry, ModelEntry, ModelEntry], number: int, name: str, variant: LoadedModel
) -> ModelEntry | TogetherEntry:
    """Put another embedding into the place of a model's own.

    Args:
        base: the models of embedding, classes and entities.
        number: of the load.
        name: of the variant.
        variant: the first of them with another embedding. Where it was cut after an earlier layer it has no heads, so it is
            found under no name of its own, and classes and entities stay those of `base`.
    """
    is_whole = variant.info.n_layers == base[0].info.n_layers
    mine = ModelEntry(number, name if is_whole else "", variant)
    embedding, classes, entities = (
        mine if part is base[0] and (is_whole or not place) else part for place, part in enumerate(base)
    )
    same = embedding is classes is entities
    return mine if same else TogetherEntry((embedding, classes, entities))


def _counts_of(reading: SentenceAnalysis) -> Reading:
    return Reading(reading.n_tokens, reading.n_truncated, reading.n_unknown)


def describe_together(infos: Sequence[ModelInfo]) -> ModelInfo:
    """Describe three models as one.

    Args:
        infos: of the models of embedding, classes and entities. What describes the embedding is the first one's.
    """
    embedding, classes, entities = infos
    different = {info.id: info for info in infos}.values()
    trained = {"classification_head": classes.classifies, "ner_head": entities.finds_entities}
    return replace(
        embedding,
        id=SEPARATOR.join(info.id for info in infos),
        architecture=", ".join(dict.fromkeys(info.architecture for info in different)),
        n_parameters=sum(info.n_parameters for info in different),
        n_layers=sum(info.n_layers for info in different),
        max_length=max(info.max_length for info in different),
        class_labels=classes.class_labels,
        entity_types=entities.entity_types,
        trained_heads=tuple(head for head, is_trained in trained.items() if is_trained),
        multi_label=classes.multi_label,
        place="; ".join(dict.fromkeys(info.place for info in different)),
        note=" ".join(dict.fromkeys(info.note for info in infos if info.note)),
        sources=tuple(info.id for info in infos),
    )
