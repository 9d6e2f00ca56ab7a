"""Training of the heads on a frozen backbone, whose hidden states are computed once.

The freezing plan and the optimizer groups are the project's own. Every word piece of the training files is one example
for the entity head, every sentence one for the classification head, so after one pass of the backbone an epoch takes
seconds. Left out: training the backbone itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from mtdemo.batching import plan_batches
from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.decoding import entity_type
from mtdemo.encoding import EncodedSentence, encode_sentences
from mtdemo.errors import DataFileError
from mtdemo.freezing import apply_freezing, find_scenario, plan_freezing, trainable_parts
from mtdemo.inference import pad_windows
from mtdemo.loading import LoadedModel
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


def allowed_labels(labels: Sequence[str], tag: str, annotated: Sequence[str] | None) -> tuple[bool, ...]:
    """Which labels a gold tag leaves open.

    A source that does not mark a type at all writes `O` also where that type stands, so its `O` allows the type too:
    the loss is then on the summed probability (partial annotation, Tsuboi et al. 2008, https://aclanthology.org/C08-1113).
    """
    if tag == "O":
        open_types = set() if annotated is None else {entity_type(label) for label in labels} - set(annotated)
        return tuple(label == "O" or entity_type(label) in open_types for label in labels)
    if tag in labels:
        return tuple(label == tag for label in labels)
    return tuple(entity_type(label) == entity_type(tag) for label in labels)


def partial_cross_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean of -log of the summed probability of the allowed labels.

    Args:
        logits: float (examples, labels).
        allowed: bool (examples, labels), at least one true per row.
    """
    return (logits.logsumexp(dim=-1) - logits.masked_fill(~allowed, -torch.inf).logsumexp(dim=-1)).mean()


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
    random.seed(settings.seed)
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
    n_steps_per_epoch = max(1, len(sentences.vectors) // settings.sentences_per_step)
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
    labels = base.model.config.entity_labels
    known = {entity_type(label) for label in labels}
    for sentence in tagged:
        unknown = {entity_type(tag) for tag in sentence.tags} - known
        if unknown:
            raise DataFileError(f"The label {unknown.pop()!r} is not one of the model's: {', '.join(labels)}.")
    encoded = encode_sentences(base.tokenizer, [sentence.text for sentence in tagged], settings.max_length)
    vectors, allowed = [], []
    for index, hidden in _hidden_states(base, encoded, progress, "hidden states for entities"):
        rows, open_labels = _supervised(encoded[index], tagged[index], labels)
        vectors.append(hidden[encoded[index].windows[0].content][rows].half())
        allowed.extend(open_labels)
    return Features(torch.cat(vectors), torch.tensor(allowed))


def _supervised(
    encoded: EncodedSentence, sentence: TaggedSentence, labels: Sequence[str]
) -> tuple[list[int], list[tuple[bool, ...]]]:
    """Rows of the first window that a token covers, with the labels its tag leaves open."""
    token_at = np.repeat(np.arange(len(sentence.tokens)), [len(token) + 1 for token in sentence.tokens])
    rows = list(range(encoded.windows[0].n_pieces))
    tokens = [int(token_at[encoded.pieces[row].start]) for row in rows]
    return rows, [allowed_labels(labels, sentence.tags[token], sentence.annotated) for token in tokens]


def _class_features(
    base: LoadedModel, labelled: Sequence[LabelledSentence], settings: HeadTraining, progress: Progress
) -> Features:
    labels = base.model.config.class_labels
    unknown = {sentence.label for sentence in labelled} - set(labels)
    if unknown:
        raise DataFileError(f"The label {unknown.pop()!r} is not one of the model's: {', '.join(labels)}.")
    encoded = encode_sentences(base.tokenizer, [sentence.text for sentence in labelled], settings.max_length)
    pooling = base.model.config.classification_pooling
    vectors = torch.empty(len(encoded), base.info.hidden_size, dtype=torch.float16)
    for index, hidden in _hidden_states(base, encoded, progress, "hidden states for classes"):
        vectors[index] = hidden.mean(dim=0) if pooling == "mean" else hidden[0]
    allowed = torch.tensor([[label == sentence.label for label in labels] for sentence in labelled])
    return Features(vectors, allowed)


def _hidden_states(
    base: LoadedModel, encoded: Sequence[EncodedSentence], progress: Progress, phrase: str
) -> chain[tuple[int, Tensor]]:
    """Yield (index, float32 (tokens, hidden)) of the first window of each sentence, batch by batch."""
    batches = plan_batches([len(sentence.windows[0].input_ids) for sentence in encoded], max_tokens=4096)

    def of_batch(number: int, batch: tuple[int, ...]) -> list[tuple[int, Tensor]]:
        inputs = pad_windows([encoded[index].windows[0] for index in batch], base)
        with torch.inference_mode():
            states = base.model.backbone(**inputs).last_hidden_state
        progress(phrase, number, len(batches))
        return [(index, states[row, : len(encoded[index].windows[0].input_ids)]) for row, index in enumerate(batch)]

    return chain.from_iterable(of_batch(number, batch) for number, batch in enumerate(batches, start=1))
