"""The service: sentences in, frozen results out. It holds the limits and puts the rooms below together.

It can be constructed before torch is imported: the first load imports it. So a page can be up in seconds while another
thread calls `load`, and a question asked meanwhile waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mtdemo.analyzer import Analyzer, Progress
from mtdemo.catalog import find_model
from mtdemo.config import EMBEDDED, Settings
from mtdemo.errors import EmptyInputError, InputError, TooMuchInputError
from mtdemo.freezing import FreezingPlan, find_scenario, plan_freezing, trainable_parts
from mtdemo.geometry import cosine_similarity, rank_pairs
from mtdemo.models import ModelStore
from mtdemo.optim import OptimizerPlan, OptimizerSettings, plan_optimizer
from mtdemo.parts import Parts
from mtdemo.results import Analysis, ModelInfo, SentenceAnalysis, Similarity

N_PAIRS = 5
_PORTION = 256  # sentences of a stream that are analysed together


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

    def as_dict(self) -> dict[str, Any]:
        return {**self.freezing.as_dict(), **self.optimizer.as_dict()}


class ModelService:
    """Answers about sentences, on models that are loaded once and results that are computed once.

    Args:
        settings: limits, threads, and where the embedded checkpoint is.

    Every method may be called from any thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._models = ModelStore(settings)
        self._analyzer = Analyzer(settings)

    @property
    def n_forward_passes(self) -> int:
        """Forward passes since the start; a cached answer adds none."""
        return self._analyzer.n_forward_passes

    def loaded(self, model: str | None = None) -> ModelInfo | None:
        """What is known of a model that is in memory; None while it is not. Never loads and never waits."""
        entry = self._models.find(model or self.settings.model)
        return entry.loaded.info if entry else None

    def load(self, model: str | None = None) -> ModelInfo:
        """Load a model, or wait for the thread that is loading it.

        Args:
            model: `embedded` or an id of the hub; the settings' model by default.

        Raises:
            CheckpointError: it cannot be loaded. Models in memory stay.
        """
        return self._models.get(model or self.settings.model).loaded.info

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
            progress: called with windows done and windows in all, when there is more than one batch.

        Returns:
            One analysis per sentence, in the given order.

        Raises:
            EmptyInputError, TooMuchInputError: as the message says.
            CheckpointError: the model cannot be loaded.
        """
        self._check(sentences)
        entry = self._models.get(model or self.settings.model)
        limit = min(max_length or self.settings.max_length, entry.loaded.info.max_length)
        return Analysis(entry.loaded.info, self._analyzer.analyze(entry, sentences, limit, progress))

    def analyze_stream(self, sentences: Iterable[str], model: str | None = None) -> Iterator[SentenceAnalysis | InputError]:
        """Analyse any number of sentences, read in portions that fit the limits.

        Yields:
            For each sentence, in order, its analysis, or the error that says why it has none.
        """
        for portion in self._portions(sentences):
            readable = [item for item in portion if isinstance(item, str)]
            answers = iter(self.analyze(readable, model).sentences if readable else ())
            for item in portion:
                yield next(answers) if isinstance(item, str) else item

    # One pass gives all three, so asking for one of them is asking for all.
    embed = classify = entities = analyze

    def similarity(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        max_length: int | None = None,
        progress: Progress | None = None,
    ) -> Similarity:
        """Compare every sentence with every other by cosine similarity; arguments and errors are those of `analyze`."""
        analysis = self.analyze(sentences, model, max_length, progress)
        matrix = cosine_similarity(analysis.embeddings)
        return Similarity(analysis, matrix, *rank_pairs(matrix, N_PAIRS))

    def parts(self, backbone: str, new_output_layer: bool = False) -> Parts:
        """The parts of a catalogued backbone with its heads, without weights."""
        return _parts(find_model(backbone).id, bool(new_output_layer))

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
            self._check_sentence(sentence, f"Sentence {number}")
        total = sum(map(len, sentences))
        if total > limits.max_total_characters:
            raise TooMuchInputError(
                f"The sentences have {total:,} characters together; at most {limits.max_total_characters:,} are read at "
                "once. Send them in parts."
            )

    def _check_sentence(self, sentence: str, name: str) -> None:
        if not isinstance(sentence, str):
            raise InputError(f"{name} must be a text, not {type(sentence).__name__}.")
        if not sentence.strip():
            raise EmptyInputError(f"{name} is blank. Leave it out, or write something.")
        most = self.settings.max_sentence_characters
        if len(sentence) > most:
            raise TooMuchInputError(
                f"{name} has {len(sentence):,} characters; at most {most:,} are read in one. Split it into paragraphs."
            )

    def _portions(self, sentences: Iterable[str]) -> Iterator[list[str | InputError]]:
        limits = self.settings
        portion: list[str | InputError] = []
        n_characters = 0
        for number, sentence in enumerate(sentences, start=1):
            try:
                self._check_sentence(sentence, f"Sentence {number}")
            except InputError as error:
                portion.append(error)
                continue
            full = len(portion) >= min(limits.max_sentences, _PORTION)
            if portion and (full or n_characters + len(sentence) > limits.max_total_characters):
                yield portion
                portion, n_characters = [], 0
            portion.append(sentence)
            n_characters += len(sentence)
        if portion:
            yield portion


@lru_cache(maxsize=16)
def _parts(backbone: str, new_output_layer: bool) -> Parts:
    shape = find_model(backbone).shape
    from transformers import BertConfig

    from mtdemo.loading import model_without_weights
    from mtdemo.model import CLASS_LABELS, MultiTaskConfig

    config = MultiTaskConfig(
        backbone=BertConfig(**dict[str, Any](shape)), output_labels=list(CLASS_LABELS) if new_output_layer else []
    )
    return model_without_weights(config).parts()
