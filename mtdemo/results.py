"""Results of the service: sentences analysed, as frozen records.

Each can be pickled, copied and compared by value, so it can travel to another process. Derived numbers are properties.
`as_dict` gives the JSON that the endpoints and the command line share. Results of other questions stand beside what
computes them: similarities in `mtdemo.analysis`, plans in `mtdemo.planning`, scores in `mtdemo.evaluation`, runs in
`mtdemo.laboratory`.
`n_tokens` counts the word pieces of the whole sentence, the special ones ([CLS], [SEP]) included; `n_truncated` is how
many of them lie beyond the limit and were therefore not read for the embedding and the class. Entities are read from
the whole text in any case. `n_unknown` counts the pieces of the whole sentence that the vocabulary does not know, such as
emoji: they all read alike, so the model cannot tell one from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Value = TypeVar("Value")
ANSWER_PARTS = ("embedding", "classes", "entities")
ProgressCallback = Callable[[str, int, int], None]  # what is being done, how many are done, how many there are (0: unknown)


def no_progress(phrase: str, done: int, total: int) -> None:
    """Ignore progress."""


class FrozenDict(Mapping[str, Value]):
    """An immutable dictionary that can be pickled, copied and hashed.

    `types.MappingProxyType` can be neither pickled nor copied.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Mapping[str, Value] | None = None) -> None:
        self._content = dict(content or {})

    def __getitem__(self, key: str) -> Value:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __hash__(self) -> int:
        return hash(frozenset(self._content.items()))

    def __repr__(self) -> str:
        return f"FrozenDict({self._content})"


class ArrayRecord:
    """A base for frozen dataclasses that hold NumPy arrays.

    They are compared by value, and their arrays are read-only, in copies too. The `==` of an ordinary dataclass fails on
    arrays, whose own `==` gives an array. Use it with `eq=False`.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, value in self._values().items():
            if isinstance(value, np.ndarray):
                view = value.view()  # whoever made the array may still write to it, whoever is given the record may not
                view.setflags(write=False)
                object.__setattr__(self, name, view)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayRecord) or type(other) is not type(self):
            return NotImplemented
        theirs = other._values()
        return all(_is_same(value, theirs[name]) for name, value in self._values().items())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self._values().values())

    def _values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def _is_same(one: Any, other: Any) -> bool:
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else bool(one == other)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts about the model that answers.

    Attributes:
        id: `embedded`, a directory or a hub id.
        architecture: type of the backbone, such as `bert`.
        n_parameters: of backbone and heads together.
        hidden_size: width of the sentence embedding.
        n_layers: encoder layers.
        max_length: the most word pieces that one pass can read, special ones included.
        class_labels: names of the classes.
        entity_types: names of the entity types, without `O` and BIO prefixes.
        trained_heads: the heads that were trained; every other head is random.
        pooling: how hidden states become an embedding, by the names of sentence-transformers; several stand side by side.
        is_normalized: whether every embedding has length 1.
        prompt: what the model reads before every sentence.
        prompts: what it can read instead, by name, such as `query` and `document`; mostly empty.
        multi_label: whether a sentence may have several classes, so that their probabilities do not sum to 1.
        note: what of the checkpoint was left out, and why; mostly empty.
        place: the device, and the precision of the network where that is not float32: `cpu`, `cuda, bfloat16`.
        sources: whose embedding, classes and entities these are, where several models were put together; empty otherwise.
    """

    id: str
    architecture: str
    n_parameters: int
    hidden_size: int
    n_layers: int
    max_length: int
    class_labels: tuple[str, ...]
    entity_types: tuple[str, ...]
    trained_heads: tuple[str, ...]
    pooling: tuple[str, ...] = ("mean",)
    is_normalized: bool = False
    prompt: str = ""
    prompts: FrozenDict[str] = field(default_factory=FrozenDict)
    multi_label: bool = False
    note: str = ""
    place: str = "cpu"
    sources: tuple[str, ...] = ()

    @property
    def passes_per_sentence(self) -> int:
        """Forward passes for a sentence of one window."""
        return len(set(self.sources)) or 1

    @property
    def classifies(self) -> bool:
        """True where the classification head was trained."""
        return "classification_head" in self.trained_heads

    @property
    def finds_entities(self) -> bool:
        """True where the entity head was trained."""
        return "ner_head" in self.trained_heads

    def as_dict(self) -> dict[str, Any]:
        plain: dict[type, Callable[[Any], Any]] = {tuple: list, FrozenDict: dict}
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["passes_per_sentence"] = self.passes_per_sentence
        return {name: plain.get(type(value), lambda same: same)(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity in a sentence.

    Attributes:
        text: exactly `sentence[start:end]`.
        label: the entity type, such as `PER`.
        score: 0 to 1, the mean over the words of the span of the probability of its label; the probability of a word is
            the mean over its word pieces.
        start, end: character offsets into the sentence as it was given, end exclusive.
    """

    text: str
    label: str
    score: float
    start: int
    end: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "label": self.label,
            "score": self.score,
            "start": self.start,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts of a sentence's word pieces, as in `SentenceAnalysis`."""

    n_tokens: int
    n_truncated: int
    n_unknown: int

    @property
    def is_hardly_readable(self) -> bool:
        """True where a third of the pieces is unknown.

        Special ones are counted as known, so a text of a single unknown piece has a third: `[CLS] [UNK] [SEP]`. Answers to
        such a text come from its position and length rather than from its words.
        """
        return 3 * self.n_unknown >= self.n_tokens


@dataclass(frozen=True, slots=True, eq=False)
class SentenceAnalysis(ArrayRecord):
    """Everything that one forward pass says about one sentence.

    Where several models were put together each has read it, and the counts are sums over their passes.

    Attributes:
        text: the sentence as it was given.
        n_tokens: word pieces of the whole sentence, special ones included.
        n_truncated: word pieces beyond the limit, not read for the embedding and the class.
        n_unknown: word pieces of the whole sentence that are not in the vocabulary.
        embedding: float32 (hidden,), read-only, made of the last hidden states as `ModelInfo` says.
        probabilities: every class with its probability, in the order of the model's labels. They sum to 1, unless the model
            gives a sentence several classes.
        entities: ordered by start, never overlapping.
        readings: the counts of those whose embedding, classes and entities these are; empty where it is one model.
    """

    text: str
    n_tokens: int
    n_truncated: int
    n_unknown: int
    embedding: FloatArray
    probabilities: Mapping[str, float]
    entities: tuple[Entity, ...]
    readings: tuple[Reading, Reading, Reading] | tuple[()] = ()

    def __post_init__(self) -> None:
        ArrayRecord.__post_init__(self)
        object.__setattr__(self, "probabilities", FrozenDict(self.probabilities))

    @property
    def is_hardly_readable(self) -> bool:
        """True where a model knows too little of it."""
        return any(self.reading_of(part).is_hardly_readable for part in ANSWER_PARTS)

    def reading_of(self, part: str) -> Reading:
        """Return the counts of the model of an answer's part."""
        whole = (Reading(self.n_tokens, self.n_truncated, self.n_unknown),)
        return (self.readings or whole * len(ANSWER_PARTS))[ANSWER_PARTS.index(part)]

    @property
    def norm(self) -> float:
        """Euclidean length of the embedding."""
        return float(np.linalg.norm(self.embedding))

    @property
    def label(self) -> str:
        """The class with the highest probability."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def entity_spans(self) -> tuple[tuple[int, int, str], ...]:
        """Start, end and label of each entity, without scores."""
        return tuple((entity.start, entity.end, entity.label) for entity in self.entities)

    def cosine_to(self, other: SentenceAnalysis) -> float:
        """Return the cosine of two embeddings, -1 to 1."""
        return float(self.embedding @ other.embedding) / max(self.norm * other.norm, 1e-12)

    def length_as_dict(self, part: str | None = None) -> dict[str, Any]:
        counts = self if part is None else self.reading_of(part)
        return {"text": self.text, **{name: getattr(counts, name) for name in ("n_tokens", "n_truncated", "n_unknown")}}

    def embedding_as_dict(self) -> dict[str, Any]:
        return {**self.length_as_dict("embedding"), "embedding": self.embedding.tolist(), "norm": self.norm}

    def classification_as_dict(self) -> dict[str, Any]:
        return {**self.length_as_dict("classes"), "label": self.label, "probabilities": dict(self.probabilities)}

    def entities_as_dict(self) -> dict[str, Any]:
        return {**self.length_as_dict("entities"), "entities": [entity.as_dict() for entity in self.entities]}

    def as_dict(self) -> dict[str, Any]:
        parts = {**self.embedding_as_dict(), **self.classification_as_dict(), **self.entities_as_dict()}
        return {**parts, **self.length_as_dict()}


@dataclass(frozen=True, slots=True)
class Analysis:
    """Sentences analysed by one model, in their given order.

    Attributes:
        model: which answered.
        sentences: the answers.
        n_passes: forward passes that this question took; 0 where all was known.
        n_cached: sentences that were known, or that another question was computing.
    """

    model: ModelInfo
    sentences: tuple[SentenceAnalysis, ...]
    n_passes: int = field(default=0, compare=False)
    n_cached: int = field(default=0, compare=False)

    def __iter__(self) -> Iterator[SentenceAnalysis]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def embeddings(self) -> FloatArray:
        """float32 (sentences, hidden)."""
        return np.stack([sentence.embedding for sentence in self.sentences])

    @property
    def is_qualified(self) -> bool:
        """True where a sentence has pieces cut off or unknown."""
        return any(sentence.n_truncated or sentence.n_unknown for sentence in self.sentences)

    def as_dict(self) -> dict[str, Any]:
        return {"model": self.model.as_dict(), "sentences": [sentence.as_dict() for sentence in self.sentences]}


@dataclass(frozen=True, slots=True)
class Pair:
    """Positions of two sentences and their cosine (-1 to 1)."""

    first: int
    second: int
    similarity: float

    def as_dict(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "similarity": self.similarity}
