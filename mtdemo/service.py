"""The service: sentences in, frozen results out. It holds the limits and puts the rooms below together.

It can be constructed before torch is imported: the first load imports it. So a page can be up in seconds while another
thread calls `load`, and a question asked meanwhile waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtdemo.analyzer import Analyzer, Progress
from mtdemo.catalog import KnownModel, find_model
from mtdemo.config import EMBEDDED, Settings
from mtdemo.costs import Batch, StepCost, estimate_step, estimate_training_everything
from mtdemo.errors import EmptyInputError, InputError, PlanError, TooMuchInputError
from mtdemo.freezing import ADAPTERS, FreezingPlan, find_scenario, plan_freezing, trainable_parts
from mtdemo.geometry import cosine_similarity, rank_pairs
from mtdemo.libraries import import_libraries
from mtdemo.models import ModelStore
from mtdemo.optim import OptimizerPlan, OptimizerSettings, plan_optimizer
from mtdemo.parts import Parts
from mtdemo.plans import WARMUP_SHARE, AdapterSettings, TrainingPlan
from mtdemo.results import Analysis, ModelInfo, SentenceAnalysis, Similarity
from mtdemo.snippets import write_script

if TYPE_CHECKING:
    from mtdemo.loading import LoadedModel

N_PAIRS = 5
MOST_SENTENCES, MOST_TOKENS = 1_024, 512  # of a planned step
SHORTEST_MAX_LENGTH = 8  # word pieces, special ones included
_PROJECT = Path(__file__).parent.parent
_PORTION = 256  # sentences of a stream that are analysed together


@dataclass(frozen=True, slots=True)
class FreezingRequest:
    """What to plan.

    Attributes:
        backbone: an id of the catalogue.
        scenario: name or title of a scenario.
        n_frozen_layers: from 1 on, embeddings and that many lowest layers are frozen in addition to the scenario.
        n_frozen_last_layers: so many of the highest layers are frozen in addition.
        trainable_parts: exactly these parts train; None to follow the scenario, as with the three below.
        new_output_layer: whether a new linear layer over the sentence embedding is added.
        selection: what trains in the backbone's parts, `weights`, `biases` or `adapters`.
        gradual: whether the backbone's parts begin to train one after the other.
        adapters: what is added where the selection is `adapters`.
        optimizer: learning rates and weight decay.
        warmup_share: share of the steps in which the rates rise, 0 to 1.
        n_sentences, n_tokens: what a step reads, 1 to `MOST_SENTENCES` sentences of 1 to `MOST_TOKENS` word pieces.
    """

    backbone: str = EMBEDDED
    scenario: str = "train_everything"
    n_frozen_layers: int = 0
    n_frozen_last_layers: int = 0
    trainable_parts: tuple[str, ...] | None = None
    new_output_layer: bool | None = None
    selection: str | None = None
    gradual: bool | None = None
    adapters: AdapterSettings = field(default_factory=AdapterSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    warmup_share: float = WARMUP_SHARE
    n_sentences: int = 32
    n_tokens: int = 32


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """What would train, how, and at what cost; nothing has been touched.

    Attributes:
        freezing: what trains, part by part.
        optimizer: the groups.
        cost: of one step.
        full_cost: of one step with nothing frozen.
        plan: the same as one thing that can be saved and given to the command line.
        script: the same as a PyTorch script.
    """

    freezing: FreezingPlan
    optimizer: OptimizerPlan
    cost: StepCost
    full_cost: StepCost
    plan: TrainingPlan
    script: str

    @property
    def starts(self) -> dict[str, float]:
        """From which share of the run on each part trains that trains at all, 0 to 1."""
        return self.plan.starts(self.freezing)

    @property
    def operations_share(self) -> float:
        """Operations of a step relative to training everything, 0 to 1."""
        return self.cost.n_operations / self.full_cost.n_operations

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.freezing.as_dict(),
            **self.optimizer.as_dict(),
            "cost": self.cost.as_dict(),
            "cost_of_training_everything": self.full_cost.as_dict(),
            "plan": self.plan.as_dict(),
            "starts": self.starts,
        }


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

    def borrow(self, model: str | None = None) -> LoadedModel:
        """A model in memory, for those who copy it; what is borrowed is never changed.

        Raises:
            CheckpointError: it cannot be loaded.
        """
        return self._models.get(model or self.settings.model).loaded

    def adopt(self, loaded: LoadedModel, name: str, owner: str) -> str:
        """Let a model that was made here answer.

        Args:
            loaded: the model, which must not be changed afterwards.
            name: what answers call it.
            owner: whose it is; each owner has one, and nobody else can guess this.

        Returns:
            What to give as `model` to be answered by it, while there is room for it.
        """
        return self._models.adopt(replace(loaded, info=replace(loaded.info, id=name)), owner)

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
        wanted = self.settings.max_length if max_length is None else max_length
        if wanted < SHORTEST_MAX_LENGTH:
            raise InputError(f"max_length must be at least {SHORTEST_MAX_LENGTH} word pieces, not {wanted}.")
        entry = self._models.get(model or self.settings.model)
        limit = min(wanted, entry.loaded.info.max_length)
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
        """The parts of a catalogued backbone with its heads, without weights.

        Raises:
            PlanError: it is not in the catalogue.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        import_libraries()
        return _parts(find_model(backbone), self.settings.checkpoint, bool(new_output_layer))

    def freezing_plan(self, request: FreezingRequest) -> PlannedTraining:
        """Plan what trains and how, without touching any model.

        Raises:
            PlanError: an unknown backbone, scenario, part or target of adapters, or a number out of range.
        """
        plan = self._plan(request)
        known = find_model(request.backbone)
        freezing = self.freezing(known.id, plan)
        optimizer = plan_optimizer(freezing, plan.optimizer)
        batch = self._batch(request)
        return PlannedTraining(
            freezing,
            optimizer,
            estimate_step(freezing, batch),
            estimate_training_everything(freezing, batch),
            plan,
            write_script(known.id, self._checkpoint_from_here(), freezing, optimizer, plan),
        )

    def freezing(self, backbone: str, plan: TrainingPlan) -> FreezingPlan:
        """What a plan means for the parts of a catalogued backbone, with what it adds.

        Raises:
            PlanError: an unknown backbone, part or target of adapters.
        """
        import_libraries()
        adapters = plan.adapters if plan.selection == ADAPTERS else None
        checkpoint = self.settings.checkpoint
        return plan.freezing(_parts(find_model(backbone), checkpoint, plan.new_output_layer, adapters, plan.frozen))

    def _plan(self, request: FreezingRequest) -> TrainingPlan:
        """The request with the gaps filled by its scenario."""
        scenario = find_scenario(request.scenario)
        has_output = scenario.new_output_layer if request.new_output_layer is None else request.new_output_layer
        parts = self.parts(request.backbone, has_output)
        trainable = request.trainable_parts
        if trainable is None:
            trainable = trainable_parts(parts, scenario, request.n_frozen_layers, request.n_frozen_last_layers)
        plan_freezing(parts, trainable)  # names an unknown part
        return TrainingPlan(
            tuple(part.name for part in parts if part.name not in trainable),
            request.optimizer,
            request.warmup_share,
            scenario.selection if request.selection is None else request.selection,
            request.adapters,
            scenario.gradual if request.gradual is None else request.gradual,
            has_output,
        )

    def _checkpoint_from_here(self) -> str:
        """The checkpoint's directory as a script at the top of the project names it."""
        path = Path(self.settings.checkpoint)
        return str(path.relative_to(_PROJECT)) if path.is_relative_to(_PROJECT) else str(path)

    def _batch(self, request: FreezingRequest) -> Batch:
        for name, value, most in (
            ("Sentences per step", request.n_sentences, MOST_SENTENCES),
            ("Word pieces per sentence", request.n_tokens, MOST_TOKENS),
        ):
            if not isinstance(value, int) or not 1 <= value <= most:
                raise PlanError(f"{name} must be a whole number from 1 to {most}, not {value}.")
        config = _config(find_model(request.backbone), self.settings.checkpoint)
        return Batch(request.n_sentences, request.n_tokens, config.backbone.num_attention_heads)

    def _check(self, sentences: Sequence[str]) -> None:
        limits = self.settings
        if isinstance(sentences, str):
            raise InputError("One text was given where a list of sentences is expected. Put it in a list.")
        if not sentences:
            raise EmptyInputError("There is no sentence to read. Write at least one.")
        if len(sentences) > limits.max_sentences:
            raise TooMuchInputError(
                f"{len(sentences):,} sentences were given; at most {limits.max_sentences:,} are read at once. Send them in "
                "parts, or use `python -m mtdemo annotate` for whole files."
            )
        for number, sentence in enumerate(sentences, start=1):
            self._check_sentence(sentence, number)
        total = sum(map(len, sentences))
        if total > limits.max_total_characters:
            raise TooMuchInputError(
                f"The sentences have {total:,} characters together; at most {limits.max_total_characters:,} are read at "
                "once. Send them in parts."
            )

    def _check_sentence(self, sentence: str, number: int) -> None:
        if not isinstance(sentence, str):
            raise InputError(f"It must be a text, not {type(sentence).__name__}.", number)
        if not sentence.strip():
            raise EmptyInputError("It is blank. Leave it out, or write something.", number)
        most = self.settings.max_sentence_characters
        if len(sentence) > most:
            reason = f"It has {len(sentence):,} characters; at most {most:,} are read in one. Split it into paragraphs."
            raise TooMuchInputError(reason, number)

    def _portions(self, sentences: Iterable[str]) -> Iterator[list[str | InputError]]:
        limits = self.settings
        portion: list[str | InputError] = []
        n_characters = 0
        for number, sentence in enumerate(sentences, start=1):
            full = len(portion) >= min(limits.max_sentences, _PORTION)
            if portion and (full or n_characters + len(sentence) > limits.max_total_characters):
                yield portion
                portion, n_characters = [], 0
            try:
                self._check_sentence(sentence, number)
            except InputError as error:
                portion.append(error)
            else:
                portion.append(sentence)
                n_characters += len(sentence)
        if portion:
            yield portion


def _config(known: KnownModel, checkpoint: str) -> Any:
    from transformers import BertConfig

    from mtdemo.loading import read_config
    from mtdemo.model import MultiTaskConfig

    if known.id == EMBEDDED:
        return read_config(Path(checkpoint), checkpoint)
    return MultiTaskConfig(backbone=BertConfig(**dict[str, Any](known.shape)))


@lru_cache(maxsize=16)
def _parts(
    known: KnownModel,
    checkpoint: str,
    new_output_layer: bool,
    adapters: AdapterSettings | None = None,
    frozen: tuple[str, ...] = (),
) -> Parts:
    from mtdemo.extending import extended_parts

    plan = TrainingPlan(frozen, new_output_layer=new_output_layer)
    if adapters is not None:
        plan = replace(plan, selection=ADAPTERS, adapters=adapters)
    return extended_parts(_config(known, checkpoint), plan)
