"""The page around a service that answers from hand-written data, without any model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from gradio_client import Client

from mtdemo.analysis.similarity import Similarity, compare_all
from mtdemo.config import Settings
from mtdemo.errors import CheckpointNotFoundError
from mtdemo.results import Analysis, Entity, ModelInfo, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from tests.app_process import AppProcess
from tests.asynchrony import run_async

Item = TypeVar("Item")
INFO = ModelInfo("fake", "bert", 1_000_000, 4, 2, 512, ("no", "yes"), ("PER",), ("classification_head", "ner_head"))


def analyse(text: str, n_truncated: int = 0, info: ModelInfo = INFO) -> SentenceAnalysis:
    """A name is any word with a capital, of the first type; a word beyond ASCII is unknown; the vector is the text's."""
    vector = np.random.default_rng(sum(map(ord, text))).normal(size=4).astype(np.float32)
    entities, start = [], 0
    for word in text.split(" "):
        if word[:1].isupper():
            entities.append(Entity(word, info.entity_types[0], 0.75, start, start + len(word)))
        start += len(word) + 1
    *others, last = info.class_labels
    probabilities = dict.fromkeys(others, 0.25 / len(others)) | {last: 0.75}
    n_unknown = sum(not word.isascii() for word in text.split())
    return SentenceAnalysis(text, len(text.split()) + 2, n_truncated, n_unknown, vector, probabilities, tuple(entities))


class FakeService(ModelService):
    """Answers without a model; sentences that begin with `long` are truncated by 7."""

    def __init__(self, info: ModelInfo = INFO) -> None:
        super().__init__(Settings())
        self.info = info
        self.model = self  # stands for the network, by which scales are kept
        self.asked: list[tuple[tuple[str, ...], str | None]] = []

    def loaded(self, model: str | None = None) -> ModelInfo | None:
        return self.info

    def get_model(self, model: str | None = None, part: str | None = None) -> FakeService:
        return self

    def load(self, model: str | None = None) -> ModelInfo:
        if model == "missing":
            raise CheckpointNotFoundError("The hub has no public model 'missing' <b>.")
        return replace(self.info, id=model or self.info.id)

    def analyze(self, sentences: Sequence[str], model: str | None = None, *_: object, **__: object) -> Analysis:
        self.check(sentences)
        self.asked.append((tuple(sentences), model))
        return Analysis(self.info, tuple(analyse(s, 7 if s.startswith("long") else 0, self.info) for s in sentences))

    def similarity(self, sentences: Sequence[str], model: str | None = None, *_: object, **__: object) -> Similarity:
        return compare_all(self.analyze(sentences, model))


class Slow(FakeService):
    """Has no model yet."""

    def loaded(self, model: str | None = None) -> None:
        return None


class Broken(Slow):
    """Will have none."""

    def load(self, model: str | None = None) -> ModelInfo:
        return super().load("missing")


def all_of(told: AsyncIterator[Item]) -> list[Item]:
    """All that a callback tells one after the other."""

    async def collect() -> list[Item]:
        return [item async for item in told]

    return run_async(collect())


@pytest.fixture
def fake() -> FakeService:
    return FakeService()


@pytest.fixture
def vectors(fake: FakeService) -> VectorService:
    return VectorService(fake)


@pytest.fixture
def untrained() -> FakeService:
    return FakeService(replace(INFO, trained_heads=()))


@pytest.fixture(scope="session")
def client(app: AppProcess) -> Iterator[Client]:
    client = Client(app.url, verbose=False, analytics_enabled=False)
    yield client
    client.close()
