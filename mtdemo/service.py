"""The service: sentences in, frozen results out. Models, cache, limits and threads are its business alone.

It can be constructed before torch is imported: the first load imports it. So a page can be up in seconds while another
thread calls `load`, and a question asked meanwhile waits for it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mtdemo.batching import plan_batches
from mtdemo.caching import LruCache
from mtdemo.catalog import find_model
from mtdemo.config import EMBEDDED, Settings
from mtdemo.decoding import decode_entities
from mtdemo.encoding import EncodedSentence, encode_sentences, join_windows
from mtdemo.errors import CheckpointNotFoundError, EmptyInputError, TooMuchInputError
from mtdemo.freezing import FreezingPlan, find_scenario, plan_freezing, trainable_parts
from mtdemo.geometry import cosine_similarity, rank_pairs
from mtdemo.optim import OptimizerPlan, OptimizerSettings, plan_optimizer
from mtdemo.parts import Parts
from mtdemo.results import Analysis, ModelInfo, SentenceAnalysis, Similarity

if TYPE_CHECKING:
    from mtdemo.inference import WindowOutput
    from mtdemo.loading import LoadedModel

_logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
N_PAIRS = 5


@dataclass(frozen=True, slots=True)
class FreezingRequest:
    """What to plan.

    Attributes:
        backbone: an id of the catalogue.
        scenario: name or title of a scenario.
        n_frozen_layers: from 1 on, embeddings and that many lowest layers are frozen in addition to the scenario.
        trainable_parts: exactly these parts train, whatever the scenario says; None to follow the scenario.
        new_output_layer: whether a new linear layer over the sentence embedding is added.
        optimizer: learning rates and weight decay.
    """

    backbone: str = EMBEDDED
    scenario: str = "train_everything"
    n_frozen_layers: int = 0
    trainable_parts: tuple[str, ...] | None = None
    new_output_layer: bool = False
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What would train and how; nothing has been touched."""

    freezing: FreezingPlan
    optimizer: OptimizerPlan


class ModelService:
    """Answers about sentences, on models that are loaded once and results that are computed once.

    Args:
        settings: limits, threads, and where the embedded checkpoint is.

    Every method may be called from any thread. One batch is computed at a time, on one thread of its own, so a short
    question waits for a batch of a long one, never for the whole of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._models: LruCache[str, tuple[int, LoadedModel]] = LruCache(
            settings.max_model_bytes, lambda entry: entry[1].n_bytes, settings.max_models
        )
        self._results: LruCache[tuple[int, int, str], SentenceAnalysis] = LruCache(
            settings.max_cache_bytes, _size_of_result
        )
        self._loads = count()
        self._load_lock = threading.Lock()
        self._compute_lock = threading.Lock()
        self._inference = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._n_forward_passes = 0

    @property
    def n_forward_passes(self) -> int:
        """Forward passes since the start; a cached answer adds none."""
        return self._n_forward_passes

    def loaded(self, model: str | None = None) -> ModelInfo | None:
        """What is known of a model that is in memory; None while it is not. Never loads and never waits."""
        entry = self._models.get(model or self.settings.model)
        return entry[1].info if entry else None

    def load(self, model: str | None = None) -> ModelInfo:
        """Load a model, or wait for the thread that is loading it.

        Args:
            model: `embedded` or an id of the hub; the settings' model by default.

        Raises:
            CheckpointError: it cannot be loaded. Models in memory stay.
        """
        return self._load(model)[1].info

    def analyze(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        max_length: int | None = None,
        progress: Progress | None = None,
    ) -> Analysis:
        """Embed, classify and find entities, all from one forward pass.

        Args:
            sentences: at least one, none of them blank.
            model: `embedded` or an id of the hub; the settings' model by default.
            max_length: word pieces read for embedding and class; the settings' by default, at most what the model can.
            progress: called with sentences done and sentences to compute.

        Returns:
            One analysis per sentence, in the given order.

        Raises:
            EmptyInputError, TooMuchInputError: as the message says.
            CheckpointError: the model cannot be loaded.
        """
        self._check(sentences)
        load_number, loaded = self._load(model)
        limit = min(max_length or self.settings.max_length, loaded.info.max_length)
        keys = [(load_number, limit, sentence) for sentence in sentences]
        found = {key: result for key in keys if (result := self._results.get(key)) is not None}
        if len(found) < len(set(keys)):
            with self._compute_lock:  # whoever waited here may find that another thread has computed the same sentences
                missing = self._results.missing(key for key in keys if key not in found)
                found |= {key: result for key in keys if (result := self._results.get(key)) is not None}
                texts = [key[2] for key in missing if key not in found]
                for text, result in zip(texts, self._compute(loaded, texts, limit, progress), strict=True):
                    key = (load_number, limit, text)
                    found[key] = result
                    self._results.put(key, result)
        return Analysis(loaded.info, tuple(found[key] for key in keys))

    def embed(
        self, sentences: Sequence[str], model: str | None = None, progress: Progress | None = None
    ) -> Analysis:
        """Embed sentences; the class and the entities of the same pass come along."""
        return self.analyze(sentences, model, progress=progress)

    classify = embed
    entities = embed

    def similarity(
        self, sentences: Sequence[str], model: str | None = None, progress: Progress | None = None
    ) -> Similarity:
        """Compare every sentence with every other by cosine similarity."""
        analysis = self.analyze(sentences, model, progress=progress)
        matrix = cosine_similarity(analysis.embeddings)
        return Similarity(analysis, matrix, *rank_pairs(matrix, N_PAIRS))

    def parts(self, backbone: str, new_output_layer: bool = False) -> Parts:
        """The parts of a catalogued backbone with its heads, without weights."""
        return _parts(backbone, new_output_layer)

    def freezing_plan(self, request: FreezingRequest) -> TrainingPlan:
        """Plan what trains and how, without touching any model.

        Raises:
            PlanError: an unknown backbone, scenario or part, or a number out of range.
        """
        scenario = find_scenario(request.scenario)
        parts = self.parts(request.backbone, request.new_output_layer)
        trainable = request.trainable_parts
        if trainable is None:
            trainable = trainable_parts(parts, scenario, request.n_frozen_layers)
        freezing = plan_freezing(parts, trainable)
        return TrainingPlan(freezing, plan_optimizer(freezing, request.optimizer))

    def _check(self, sentences: Sequence[str]) -> None:
        limits = self.settings
        if not sentences:
            raise EmptyInputError("There is no sentence to read. Write at least one.")
        if len(sentences) > limits.max_sentences:
            raise TooMuchInputError(
                f"{len(sentences):,} sentences were given; at most {limits.max_sentences:,} are read at once. Send them in "
                "parts, or use `python -m mtdemo annotate` for whole files."
            )
        for number, sentence in enumerate(sentences, start=1):
            if not isinstance(sentence, str):
                raise EmptyInputError(f"Sentence {number} is not a text but a {type(sentence).__name__}.")
            if not sentence.strip():
                raise EmptyInputError(f"Sentence {number} is blank. Leave it out, or write something.")
            if len(sentence) > limits.max_sentence_characters:
                raise TooMuchInputError(
                    f"Sentence {number} has {len(sentence):,} characters; at most {limits.max_sentence_characters:,} are "
                    "read in one. Split it into paragraphs."
                )
        total = sum(map(len, sentences))
        if total > limits.max_total_characters:
            raise TooMuchInputError(
                f"The sentences have {total:,} characters together; at most {limits.max_total_characters:,} are read at "
                "once. Send them in parts."
            )

    def _load(self, model: str | None) -> tuple[int, LoadedModel]:
        name = model or self.settings.model
        entry = self._models.get(name)
        if entry is None:
            with self._load_lock:
                entry = self._models.get(name)
                if entry is None:
                    entry = (next(self._loads), self._read(name))
                    self._models.put(name, entry)
        return entry

    def _read(self, name: str) -> LoadedModel:
        from mtdemo.loading import load_directory, load_hub  # torch: several seconds, once

        _logger.info("loading %s", name)
        if name == EMBEDDED:
            return load_directory(Path(self.settings.checkpoint), name, self.settings.max_model_bytes)
        if not self.settings.hub_models and name != self.settings.model:
            raise CheckpointNotFoundError("This page serves one model only; loading others is switched off here.")
        return load_hub(name, self.settings.max_model_bytes)

    def _compute(
        self, loaded: LoadedModel, texts: Sequence[str], limit: int, progress: Progress | None
    ) -> tuple[SentenceAnalysis, ...]:
        encoded = encode_sentences(loaded.tokenizer, texts, limit)
        owners = [number for number, sentence in enumerate(encoded) for _ in sentence.windows]
        outputs = self._run(loaded, encoded, owners, progress)
        grouped: list[list[WindowOutput]] = [[] for _ in encoded]
        for owner, output in zip(owners, outputs, strict=True):
            grouped[owner].append(output)
        return tuple(
            _assemble(loaded, sentence, outputs) for sentence, outputs in zip(encoded, grouped, strict=True)
        )

    def _run(
        self,
        loaded: LoadedModel,
        encoded: Sequence[EncodedSentence],
        owners: Sequence[int],
        progress: Progress | None,
    ) -> list[WindowOutput]:
        from mtdemo.inference import run_windows

        windows = [window for sentence in encoded for window in sentence.windows]
        batches = plan_batches([len(window.input_ids) for window in windows], self.settings.tokens_per_batch)
        all_cores = self.settings.threads or os.cpu_count() or 1
        n_threads = all_cores if len(batches) > 1 else min(self.settings.threads_short, all_cores)
        outputs: dict[int, WindowOutput] = {}
        for batch in batches:
            run = self._inference.submit(run_windows, loaded, [windows[index] for index in batch], n_threads)
            outputs.update(zip(batch, run.result(), strict=True))
            self._n_forward_passes += 1
            if progress is not None and len(batches) > 1:
                progress(len(outputs), len(windows))
        return [outputs[index] for index in range(len(windows))]


def _assemble(
    loaded: LoadedModel, sentence: EncodedSentence, outputs: Sequence[WindowOutput]
) -> SentenceAnalysis:
    probabilities = join_windows(sentence, [output.entity_probabilities for output in outputs])
    embedding = outputs[0].embedding
    embedding.setflags(write=False)
    return SentenceAnalysis(
        text=sentence.text,
        n_tokens=sentence.n_tokens,
        n_truncated=sentence.n_truncated,
        embedding=embedding,
        probabilities=dict(zip(loaded.info.class_labels, outputs[0].class_probabilities.tolist(), strict=True)),
        entities=decode_entities(sentence.text, sentence.pieces, probabilities, loaded.scheme),
    )


@lru_cache(maxsize=16)
def _parts(backbone: str, new_output_layer: bool) -> Parts:
    shape = find_model(backbone).shape
    from transformers import BertConfig

    from mtdemo.loading import model_without_weights
    from mtdemo.model import CLASS_LABELS, MultiTaskConfig

    config = MultiTaskConfig(backbone=BertConfig(**shape), output_labels=list(CLASS_LABELS) if new_output_layer else [])
    return model_without_weights(config).parts()


def _size_of_result(result: SentenceAnalysis) -> int:
    """Bytes of a result: the embedding, the text (twice, as key and as value) and rough costs of the objects around."""
    return result.embedding.nbytes + 8 * len(result.text) + 250 * len(result.entities) + 1_000
