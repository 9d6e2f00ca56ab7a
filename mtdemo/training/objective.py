"""The objective of a training run: the losses of the tasks, and of what models that do not change teach.

Which sentences a step reads is `mtdemo.training.batches`'s; the steps are `mtdemo.training.trainer`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtdemo.inference.batching import plan_batches
from mtdemo.inference.hidden_state_cache import HiddenStateCache
from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.results import ProgressCallback
from mtdemo.text.tokenization import Window
from mtdemo.training.batches import BatchSampler, InputNoise
from mtdemo.training.distillation import DistillationTerm
from mtdemo.training.examples import EncodedExample
from mtdemo.training.losses import partial_cross_entropy
from mtdemo.training.step_losses import StepLosses


@dataclass(frozen=True, slots=True)
class TaskExamples:
    """Examples of one task, with their use in a step.

    Attributes:
        name: `entities` or `classes`, as in `StepLosses`.
        examples: what is learned from.
        batches: which of them each step takes.
        noise: what is changed in their windows.
        is_active: whether a step reads any of them.
        weight: of the loss.
        offset: index of the first example among those of all tasks.
        loss: from the model's output for some examples to the mean loss of each head that answers them, by its name in
            `StepLosses`; the mean is over word pieces, or over sentences.
    """

    name: str
    examples: Sequence[EncodedExample]
    batches: BatchSampler
    noise: InputNoise
    is_active: bool
    weight: float
    offset: int
    loss: Callable[[Any, Sequence[EncodedExample]], dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """Part of a step's sentences, read at once.

    Attributes:
        indices: of the sentences among those of all tasks.
        windows: what is read, with noise.
        examples: the same sentences as they are.
    """

    indices: Sequence[int]
    windows: Sequence[Window]
    examples: Sequence[EncodedExample]

    @property
    def n_targets(self) -> int:
        return sum(example.n_targets for example in self.examples)


class Objective:
    """The weighted sum of losses that a run minimises.

    Args:
        loaded: the model that learns.
        tasks: in the order of `LEARNED_TASKS`.
        terms: what models that do not change teach, by name in `StepLosses`.
        hidden_states: of a frozen backbone, computed once; None where the backbone trains.
        tokens_per_pass: word pieces in one forward pass.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        tasks: Sequence[TaskExamples],
        terms: Mapping[str, DistillationTerm],
        hidden_states: HiddenStateCache | None,
        tokens_per_pass: int,
    ) -> None:
        self.tasks = tuple(tasks)
        self.terms = dict(terms)
        self.hidden_states = hidden_states
        self._loaded = loaded
        self._tokens_per_pass = tokens_per_pass
        self._n_active = sum(task.is_active for task in self.tasks)

    def backward(self, step: int) -> StepLosses:
        """Add the gradients of a step to the model's parameters.

        A task's own losses stand once; what its sentences are taught is told as the mean over the tasks:
        `[{entities: 1.2, drift: 0.1}, {classes: 0.7, drift: 0.3}] -> {entities: 1.2, classes: 0.7, drift: 0.2}`.
        """
        by_task = [self._add_gradients(task, step) for task in self.tasks if task.is_active]
        told = {name: [losses[name] for losses in by_task if name in losses] for losses in by_task for name in losses}
        return StepLosses(**{name: sum(values) / len(values) for name, values in told.items()})

    def compute_hidden_states(self, n_steps: int, progress: ProgressCallback) -> None:
        """Compute the hidden states that the first steps read.

        They are computed in the batches of those steps, so that they are the same bit for bit as in a run that was not
        stopped. Nothing is done where the backbone trains.
        """
        if self.hidden_states is None:
            return
        for step in range(n_steps):
            for task in self.tasks:
                for each in self._passes(task, step):
                    self.hidden_states(self._loaded, [example.window for example in each.examples])
            progress("computing hidden states again", step + 1, n_steps)

    def _add_gradients(self, task: TaskExamples, step: int) -> dict[str, float]:
        """Add the gradients of a task's sentences.

        A step of more sentences than fit one pass takes several. Each pass has a share of the step's mean, so that the
        gradients sum to those of one large pass: losses 1.0 over 6 word pieces and 4.0 over 2 are
        `1.0 * 6/8 + 4.0 * 2/8 = 1.75`.
        """
        batch = task.batches[step]
        n_targets = sum(task.examples[index].n_targets for index in batch)
        totals = {task.name: 0.0, **dict.fromkeys(self.terms, 0.0)}
        for each in self._passes(task, step):
            output = self._forward(each)
            losses = {name: loss * (each.n_targets / n_targets) for name, loss in task.loss(output, each.examples).items()}
            taught: dict[str, Tensor] = {}
            objective = torch.zeros(())
            for name, term in self.terms.items():
                taught[name] = term.loss(output, each.indices) * (len(each.examples) / len(batch))
                objective = objective + term.weight * taught[name] / self._n_active  # the mean over tasks has the weight
            if task.weight:  # a loss times 0 would give gradients of 0, and what has a gradient decays
                objective = objective + task.weight * torch.stack([*losses.values()]).sum()
            if objective.requires_grad:  # not where the task's own head and all under it are frozen
                objective.backward()
            for name, loss in (losses | taught).items():
                totals[name] = totals.get(name, 0.0) + loss.item()
        return totals

    def _passes(self, task: TaskExamples, step: int) -> Iterator[ForwardPass]:
        """Divide a task's sentences of a step into forward passes.

        With room for 24 word pieces, padding counted, lengths `[5, 9, 8, 4] -> [[4, 5], [8, 9]]`, as `plan_batches` sorts.
        A pass of which nothing can be read, such as emoji that the vocabulary lacks, is left out.
        """
        if not task.is_active:
            return
        batch = task.batches[step]
        windows = task.noise([task.examples[index].window for index in batch], step)
        for rows in plan_batches([len(window.input_ids) for window in windows], self._tokens_per_pass):
            examples = [task.examples[batch[row]] for row in rows]
            if any(example.n_targets for example in examples):
                yield ForwardPass([task.offset + batch[row] for row in rows], [windows[row] for row in rows], examples)

    def _forward(self, each: ForwardPass) -> Any:
        """Run the model, or its heads alone.

        They run alone where hidden states are kept, which have no noise. Losses are computed on the CPU, wherever the model
        is.
        """
        model = self._loaded.model
        if self.hidden_states is not None:
            windows = [example.window for example in each.examples]
            return model.apply_heads(*self.hidden_states(self._loaded, windows)).on_cpu()
        return model(**self._loaded.pad(each.windows), pooling_mask=mask_pooling(each.windows)).on_cpu()


def entity_loss(output: Any, examples: Sequence[EncodedExample]) -> dict[str, Tensor]:
    """Compute the entity head's loss, a mean over word pieces.

    It is on the summed probability of the labels that the annotation leaves open.
    """
    logits = torch.cat([output.ner_logits[row, example.learned] for row, example in enumerate(examples)])
    allowed = torch.from_numpy(np.concatenate([example.target for example in examples]))
    return {"entities": partial_cross_entropy(logits, allowed)}


def class_loss(
    output: Any,
    examples: Sequence[EncodedExample],
    smoothing: float,
    with_output_layer: bool = False,
    multi_label: bool = False,
) -> dict[str, Tensor]:
    """Compute the losses of heads of classes, means over sentences.

    Args:
        output: of the model.
        examples: sentences, each with the index of its class.
        smoothing: share of the probability that the targets spread over all classes, 0 to 1.
        with_output_layer: whether a new output layer learns the same classes.
        multi_label: whether each class has a probability of its own: 1 is right for that of the sentence, 0 for the others.
    """
    targets = torch.tensor([example.target for example in examples])
    logits = {"classes": output.classification_logits}
    if with_output_layer:
        logits["new_output_layer"] = output.output_logits
    losses = {name: functional.cross_entropy(each, targets, label_smoothing=smoothing) for name, each in logits.items()}
    if multi_label:
        each = output.classification_logits
        one_hot = functional.one_hot(targets, each.shape[-1]).to(each.dtype)
        losses["classes"] = functional.binary_cross_entropy_with_logits(each, one_hot)
    return losses
