"""Training of the heads on a frozen backbone, whose hidden states are computed once.

The freezing plan and the optimizer groups are the project's own. Every word piece of the training files is one example
for the entity head, every sentence one for the classification head, so after one pass of the backbone an epoch takes
seconds. Left out: training the backbone itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from mtdemo.batching import plan_batches
from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.encoding import Window
from mtdemo.examples import labelled_examples, tagged_examples
from mtdemo.freezing import apply_freezing, find_scenario, plan_freezing, trainable_parts
from mtdemo.inference import pad_windows
from mtdemo.loading import LoadedModel
from mtdemo.losses import partial_cross_entropy
from mtdemo.optim import OptimizerSettings, build_optimizer, plan_optimizer

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class HeadTraining:
    """How the heads are trained.

    Attributes:
        n_epochs: passes over the features.
        learning_rate: of both heads, decaying linearly to 0.
        sentences_per_step: for the classification head; the entity head gets as many steps, over all word pieces.
        max_length: word pieces read of a sentence.
        seed: of initialisation, order and dropout.
    """

    n_epochs: int = 20
    learning_rate: float = 1e-3
    sentences_per_step: int = 256
    max_length: int = 128
    seed: int = 13


@dataclass(frozen=True, slots=True)
class Features:
    """Hidden states of the frozen backbone with what is to be learned from them.

    Attributes:
        vectors: float16 (examples, hidden).
        allowed: bool (examples, labels), the labels that the annotation leaves open; exactly one where it is complete.
    """

    vectors: Tensor
    allowed: Tensor


def train_heads(
    base: LoadedModel,
    tagged: Sequence[TaggedSentence],
    labelled: Sequence[LabelledSentence],
    settings: HeadTraining,
    progress: Progress,
) -> LoadedModel:
    """Train new heads on a frozen backbone; the backbone stays bit-identical.

    Args:
        base: a loaded model; its heads are replaced by new ones.
        tagged: sentences for the entity head.
        labelled: sentences for the classification head.
        settings: how.
        progress: called with a phrase, steps done and steps in all.

    Returns:
        The same model with trained heads, saying so.

    Raises:
        DataFileError: a label that the model's configuration does not have.
    """
    torch.manual_seed(settings.seed)
    model = base.model
    for head in (model.classification_head, model.ner_head):
        for module in head.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=0.02)
                torch.nn.init.zeros_(module.bias)
    parts = model.parts()
    plan = plan_freezing(parts, trainable_parts(parts, find_scenario("freeze_backbone")))
    apply_freezing(model, plan)
    rates = {"classification_head": settings.learning_rate, "ner_head": settings.learning_rate}
    optimizer = build_optimizer(model, plan_optimizer(plan, OptimizerSettings(head_learning_rates=rates)))

    pieces = _entity_features(base, tagged, settings, progress)
    sentences = _class_features(base, labelled, settings, progress)
    _fit(base, optimizer, pieces, sentences, settings, progress)

    model.eval()
    model.config.trained_heads = ["classification_head", "ner_head"]
    return replace(base, info=replace(base.info, trained_heads=model.trained_heads))


def _fit(
    base: LoadedModel,
    optimizer: torch.optim.AdamW,
    pieces: Features,
    sentences: Features,
    settings: HeadTraining,
    progress: Progress,
) -> None:
    model = base.model
    n_steps_per_epoch = max(1, min(len(pieces.vectors), len(sentences.vectors) // settings.sentences_per_step))
    n_steps = n_steps_per_epoch * settings.n_epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / n_steps)
    model.classification_head.train()
    model.ner_head.train()
    for epoch in range(settings.n_epochs):
        batches = zip(_shuffled(pieces, n_steps_per_epoch), _shuffled(sentences, n_steps_per_epoch), strict=True)
        for number, (of_pieces, of_sentences) in enumerate(batches, start=1):
            loss = partial_cross_entropy(
                model.ner_head(pieces.vectors[of_pieces].float()), pieces.allowed[of_pieces]
            ) + partial_cross_entropy(
                model.classification_head(sentences.vectors[of_sentences].float()), sentences.allowed[of_sentences]
            )
            if not loss.isfinite():
                raise FloatingPointError(f"The loss of epoch {epoch + 1} is no number; nothing was saved.")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress(f"training, loss {loss.item():.3f}", epoch * n_steps_per_epoch + number, n_steps)


def _shuffled(features: Features, n_batches: int) -> tuple[Tensor, ...]:
    return torch.randperm(len(features.vectors)).tensor_split(n_batches)


def _entity_features(
    base: LoadedModel, tagged: Sequence[TaggedSentence], settings: HeadTraining, progress: Progress
) -> Features:
    examples = tagged_examples(base, tagged, settings.max_length)
    vectors, allowed = [], []
    for index, hidden in _hidden_states(base, [e.window for e in examples], progress, "hidden states for entities"):
        vectors.append(hidden[examples[index].window.content].half())
        allowed.append(torch.from_numpy(examples[index].allowed))
    return Features(torch.cat(vectors), torch.cat(allowed))


def _class_features(
    base: LoadedModel, labelled: Sequence[LabelledSentence], settings: HeadTraining, progress: Progress
) -> Features:
    examples = labelled_examples(base, labelled, settings.max_length)
    pooling = base.model.config.classification_pooling
    vectors = torch.empty(len(examples), base.info.hidden_size, dtype=torch.float16)
    for index, hidden in _hidden_states(base, [e.window for e in examples], progress, "hidden states for classes"):
        vectors[index] = hidden.mean(dim=0) if pooling == "mean" else hidden[0]
    labels = torch.tensor([example.label for example in examples])
    return Features(vectors, torch.nn.functional.one_hot(labels, len(base.model.config.class_labels)).bool())


def _hidden_states(
    base: LoadedModel, windows: Sequence[Window], progress: Progress, phrase: str
) -> chain[tuple[int, Tensor]]:
    """Yield (index, float32 (tokens, hidden)) of each window, batch by batch."""
    batches = plan_batches([len(window.input_ids) for window in windows], max_tokens=4096)

    def of_batch(number: int, batch: tuple[int, ...]) -> list[tuple[int, Tensor]]:
        inputs = pad_windows([windows[index] for index in batch], base)
        with torch.inference_mode():
            states = base.model.backbone(**inputs).last_hidden_state
        progress(phrase, number, len(batches))
        return [(index, states[row, : len(windows[index].input_ids)]) for row, index in enumerate(batch)]

    return chain.from_iterable(of_batch(number, batch) for number, batch in enumerate(batches, start=1))
