"""The shapes of questions and answers about single sentences, as OpenAPI describes them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SkipValidation

from mtdemo.rest.schemas import FoundEntity, Lengths, Strict


class SentenceQuestion(Strict):
    """A sentence to look at closely."""

    sentence: SkipValidation[str] = Field(description="not blank", examples=["John lives in Paris."])


class _Explained(Strict):
    n_left_out: int = Field(description="words at the end of a long sentence that were cut off first")
    model: str


class _Hidden(_Explained):
    hides_with: str = Field(description="what stands in place of a hidden word; empty where it is removed")


class VersionsQuestion(Strict):
    """Two versions of a sentence."""

    before: SkipValidation[str] = Field(description="not blank", examples=["The waiter was rude."])
    after: SkipValidation[str] = Field(description="not blank", examples=["The waiter was kind."])


class AttributionQuestion(SentenceQuestion):
    """A sentence and one of its answers."""

    answer: SkipValidation[int] = Field(1, description="1 is the class, from 2 on come the entities")


class PairQuestion(Strict):
    """Two sentences."""

    first: SkipValidation[str] = Field(description="not blank", examples=["The bank raised its rates."])
    second: SkipValidation[str] = Field(description="not blank", examples=["Interest rates went up."])


class Check(Strict):
    """A check of an order of words against random orders."""

    shares: list[float] = Field(description="of the words that are hidden")
    counts: list[int] = Field(description="words hidden at each share")
    falls: list[float] = Field(description="of the answer, at each share")
    area: float = Field(description="the mean fall (AOPC, DeYoung et al. 2020)")
    random_area: float = Field(description="the mean of random_areas")
    random_areas: list[float] = Field(description="the mean fall in each random order")
    n_beaten: int = Field(description="random orders in which the answer falls less")
    passes: bool = Field(description="true where at most one random order in twenty does as well")


class Answer(Strict):
    """An answer that words are held responsible for."""

    kind: Literal["embedding", "class", "entity"]
    title: str
    value: float = Field(description="1 for the embedding, else a probability")
    check: Check | None = Field(description="null for a sentence of one word")


class WordPlace(Strict):
    """A word; `text` is exactly `sentence[start:end]`."""

    text: str
    start: int
    end: int


class WordEffects(WordPlace):
    """Effects of hiding a word."""

    effects: list[float] = Field(description="what each answer loses: 1 - cosine, or the fall of a probability")
    label: str = Field(description="the likeliest class without the word")
    fates: list[Literal["kept", "changed", "lost"]] = Field(description="of each entity among the answers")
    n_found: int = Field(description="entities found elsewhere without the word")


class Occlusion(_Hidden):
    """Effects of every word on every answer."""

    text: str
    label: str
    answers: list[Answer]
    words: list[WordEffects]


class ReadPiece(Strict):
    """A word piece."""

    piece: str = Field(description="as it stands in the vocabulary")
    start: int
    end: int
    is_unknown: bool
    is_read: bool = Field(description="whether embedding and class read it")
    window: int = Field(description="the window that speaks for it, from 1")
    word: int | None = Field(description="position of its word")
    probabilities: dict[str, float] = Field(description="of each label of the entity head")


class TypedWord(WordPlace):
    """A word and the type that the decoder gave it."""

    label: str = Field(description="O for none")
    probability: float


class Pieces(_Explained, Lengths):
    """A sentence as the model reads it."""

    n_windows: int
    pieces: list[ReadPiece]
    words: list[TypedWord]
    entities: list[FoundEntity]


class ClassChange(Strict):
    """The probabilities of a class in both versions."""

    label: str
    before: float
    after: float


class EntityChange(Strict):
    """The same entity in both versions."""

    kind: Literal["kept", "changed", "lost", "new"]
    before: FoundEntity | None
    after: FoundEntity | None


class Change(_Explained):
    """The answers about two versions of a sentence."""

    before: str
    after: str
    cosine: float
    label_before: str
    label_after: str
    changes_class: bool
    changes_entities: bool
    classes: list[ClassChange] = Field(description="the largest change first")
    entities: list[EntityChange]


class Variant(Strict):
    """A version of a sentence and what it changed."""

    kind: str
    note: str
    text: str
    cosine: float
    label: str
    probability: float = Field(description="of the label of the sentence itself")
    changes_class: bool
    changes_entities: bool
    entities: list[FoundEntity]


class Tally(Strict):
    """Counts over variants of one kind."""

    kind: str
    n_variants: int
    n_classes: int = Field(description="variants that change the class")
    n_entities: int = Field(description="variants that change an entity")
    mean_cosine: float
    lowest_cosine: float
    mean_probability: float


class Stability(_Explained):
    """Changes that variants of a sentence make."""

    text: str
    label: str
    entities: list[FoundEntity]
    total: Tally
    kinds: list[Tally]
    variants: list[Variant] = Field(description="those that change most first")
    opposite: Variant | None = Field(description="a negation, which should change the answer")


class WordAttribution(WordPlace):
    """A word and its part of the log odds."""

    attribution: float


class Attribution(_Hidden):
    """Parts of words in the log odds of an answer."""

    text: str
    answer: Answer
    words: list[WordAttribution]
    log_odds: float
    baseline_log_odds: float = Field(description="the same, where every word piece is [PAD]")
    total: float = Field(description="the sum of all parts")
    gap: float = Field(description="the part of the difference that the sum misses")
    n_steps: int
    is_complete: bool
    n_outside: int


class WordEffect(WordPlace):
    """A word and how much the cosine falls without it."""

    effect: float


class Side(Strict):
    """One of two sentences."""

    text: str
    words: list[WordEffect]
    check: Check | None


class SharedWords(_Hidden):
    """Why two sentences are as similar as they are."""

    cosine: float
    first: Side
    second: Side
    together: list[list[float]] = Field(description="the part of the cosine that two words make together")
