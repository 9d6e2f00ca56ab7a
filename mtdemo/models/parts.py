"""Tasks, heads and parts of a model, as plain data.

The model declares its parts once (`MultiTaskModel.parts`); counting, freezing and optimizer code read this declaration.
Nothing here needs torch, so a plan can be made, shown and tested without a model. To add a head, add its row to `HEADS`
(and one to `TASKS` if it answers a question of its own) and, if it is not linear, its module to `mtdemo.models.heads`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Task:
    """A question to the model that labelled data can test.

    Attributes:
        name: on the command line, such as `ner`.
        title: what people call its answers, as a noun in the plural, such as `entities`; its name in JSON, too.
        singular: one of them, such as `entity`.
        head: name of the head that answers; None where the sentence embedding does.
        metric: what people call its main score.
        reads: the kind of labelled rows that teach and test it, by the name of a record in `mtdemo.data.records`.
    """

    name: str
    title: str
    singular: str
    head: str | None
    metric: str
    reads: str


TASKS = (
    Task("ner", "entities", "entity", "ner_head", "F1", "TaggedSentence"),
    Task("classification", "classes", "class", "classification_head", "macro-F1", "LabelledSentence"),
    Task("similarity", "similarity", "similarity", None, "Spearman", "RatedPair"),
)
LEARNED_TASKS = tuple(task for task in TASKS if task.head is not None)  # the order of every `task_weights`


def find_task(name: str) -> Task:
    """Return the task of a name, or raise KeyError."""
    return {task.name: task for task in TASKS}[name]


@dataclass(frozen=True, slots=True)
class Head:
    """An output of the model.

    Attributes:
        name: of the part, and of the module.
        title: what people call it.
        task: whose loss teaches it, `entities` or `classes`.
        reads_sentences: whether it reads one vector per sentence, and not one per word piece.
        labels: the field of the configuration that names its labels; without labels there is no such head.
    """

    name: str
    title: str
    task: str
    reads_sentences: bool
    labels: str

    @property
    def output(self) -> str:
        """The stem of its inputs and outputs.

        `ner` in `ner_logits`, `ner_labels` and `ner_loss`.
        """
        return self.name.partition("_")[0]


HEADS = (
    Head("classification_head", "classification head", "classes", True, "class_labels"),
    Head("ner_head", "entity head", "entities", False, "entity_labels"),
    Head("output_layer", "new output layer", "classes", True, "output_labels"),
)
HEAD_NAMES = tuple(head.name for head in HEADS)


class PartKind(Enum):
    """The place of a part in the model."""

    EMBEDDINGS = "embeddings"
    LAYER = "layer"
    BACKBONE_REST = "rest of the backbone"
    HEAD = "head"

    @property
    def in_backbone(self) -> bool:
        """True for a part of the shared backbone."""
        return self is not PartKind.HEAD


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter tensor by name, shape and weight decay.

    Biases and normalisation weights do not decay: Loshchilov & Hutter 2019 (https://arxiv.org/abs/1711.05101) leave it
    open, BERT's own optimizer excludes them.
    """

    name: str
    shape: tuple[int, ...]
    decays: bool

    @property
    def n_parameters(self) -> int:
        return math.prod(self.shape)

    @property
    def is_bias(self) -> bool:
        return self.name.endswith("bias")

    @property
    def is_adapter(self) -> bool:
        """True for a low-rank adapter, as `peft` names them."""
        return ".lora_" in self.name


@dataclass(frozen=True, slots=True)
class Part:
    """A named group of parameters, frozen or trained as one.

    Attributes:
        name: `embeddings`, `layer_0` … `layer_{n-1}`, `classification_head`, `ner_head`, …; unique in a model.
        kind: where the part stands.
        parameters: the tensors of this part; a tied tensor belongs to the first part that uses it.
    """

    name: str
    kind: PartKind
    parameters: tuple[ParameterSpec, ...]

    @property
    def n_parameters(self) -> int:
        return sum(parameter.n_parameters for parameter in self.parameters)


Parts = tuple[Part, ...]


def part_title(name: str) -> str:
    """Name a part for people, layers counted from 1."""
    kind, _, index = name.rpartition("_")
    if kind == "layer":
        return f"layer {int(index) + 1}"
    return next((head.title for head in HEADS if head.name == name), name.replace("_", " "))


def count_parameters(parts: Parts) -> int:
    """Count the parameters of all parts, tied ones once."""
    return sum(part.n_parameters for part in parts)
