"""The shapes of questions and answers, as OpenAPI describes them.

Sentences are checked by the service, so that the errors say the same as on the page; that is what `SkipValidation` is for.
Answers are made by `mtdemo.rest.questions`; tests hold that they have these shapes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from mtdemo.config import EMBEDDED
from mtdemo.planning.scenarios import SCENARIOS

_EXAMPLE = ["John lives in Paris.", "I love this!"]


class Strict(BaseModel):
    """A shape without room for unknown fields."""

    model_config = ConfigDict(extra="forbid")


class SentencesQuestion(Strict):
    """Sentences to read."""

    sentences: SkipValidation[list[str]] = Field(description="at least one, none of them blank", examples=[_EXAMPLE])


class EmbeddingQuestion(SentencesQuestion):
    """Sentences to read, and the form of their embeddings."""

    embedding_format: Literal["float", "base64"] = Field(
        "float", description="a list of numbers, or their little-endian float32 bytes as base64, a quarter of the size"
    )
    prompt: str | None = Field(
        None, description="name of one of the model's prompts, such as query or document, to read before each sentence"
    )


class RankQuestion(SentencesQuestion):
    """A query and the sentences to rank."""

    query: SkipValidation[str] = Field(description="the text to compare with", examples=["Where does John live?"])
    n_best: int | None = Field(None, ge=1, description="how many to return; all by default")


class PlanQuestion(Strict):
    """A backbone, a scenario and what is frozen in addition."""

    backbone: SkipValidation[str] = EMBEDDED
    scenario: SkipValidation[str] = SCENARIOS[0].name
    n_frozen_layers: SkipValidation[int] = 0
    n_frozen_last_layers: SkipValidation[int] = 0


class Lengths(Strict):
    """A sentence and its number of word pieces."""

    text: str
    n_tokens: int = Field(description="word pieces, special ones included")
    n_truncated: int = Field(description="word pieces beyond the limit, not read for embedding and class")
    n_unknown: int = Field(description="word pieces that the vocabulary does not know")


class Embedding(Lengths):
    """The embedding of a sentence."""

    embedding: list[float] | str = Field(description="made as the model says; a text with embedding_format base64")
    norm: float
    model: str


class Classification(Lengths):
    """The class of a sentence."""

    label: str
    probabilities: dict[str, float]
    model: str
    trained: bool = Field(description="false where the head is random, so that the answer is noise")


class FoundEntity(Strict):
    """A named entity; `text` is exactly `sentence[start:end]`."""

    text: str
    label: str
    score: float
    start: int
    end: int


class Entities(Lengths):
    """The entities of a sentence."""

    entities: list[FoundEntity]
    model: str
    trained: bool


class FullAnalysis(Lengths):
    """All that one forward pass says about a sentence."""

    embedding: list[float] | str
    norm: float
    label: str
    probabilities: dict[str, float]
    entities: list[FoundEntity]
    model: str
    trained_heads: list[str]


class SimilarPair(Strict):
    """Positions of two sentences and their cosine."""

    first: int
    second: int
    similarity: float


class SimilarityMatrix(Strict):
    """The cosine of every sentence with every other."""

    sentences: list[Lengths]
    similarity: list[list[float]]
    most_similar: list[SimilarPair]
    least_similar: list[SimilarPair]
    model: str


class RankedSentence(Lengths):
    """A sentence, its place in the question and its cosine."""

    position: int
    similarity: float


class Ranking(Strict):
    """Sentences by their similarity to a query, best first."""

    query: Lengths
    ranked: list[RankedSentence]
    model: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what was given, what is allowed, what to do")
    instance: str = Field(description="the id of the request, as in the header X-Request-ID")
    sentence: int | None = Field(None, description="number of the sentence that it is about, from 1")


Plan = dict[str, Any]
