"""A table of the classes of transformers whose heads are adopted: where their weights stand, and what they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, PreTrainedConfig

CLASSES, ENTITIES = "classification_head", "ner_head"
_PAIR_LABELS = {"entailment", "contradiction", "not_entailment"}  # of natural language inference
_DROPOUTS = ("classifier_dropout", "classifier_dropout_prob", "seq_classif_dropout", "hidden_dropout_prob")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A class of transformers with a head.

    Attributes:
        name: of the class, as `architectures` in config.json says it.
        head: the head of ours that it becomes.
        modules: where our head's modules are in theirs: `dense`, `norm` and `linear`, as far as it has them.
        layers: of our head before its last layer (`MultiTaskConfig.head_layers`), from their configuration.
        fields: more of our configuration, from theirs.
    """

    name: str
    head: str
    modules: dict[str, str]
    layers: Callable[[PreTrainedConfig], dict[str, Any]] = field(default=lambda config: {})
    fields: Callable[[PreTrainedConfig], dict[str, Any]] = field(default=lambda config: {})

    @property
    def loader(self) -> Any:
        """The class of transformers that finds the right one."""
        return AutoModelForSequenceClassification if self.head == CLASSES else AutoModelForTokenClassification


def _activation(name: str) -> Callable[[PreTrainedConfig], dict[str, Any]]:
    return lambda config: {"activation": name}


def _of_pooler(config: Any) -> dict[str, Any]:
    return {"activation": config.pooler_hidden_act}


def _of_modernbert(config: Any) -> dict[str, Any]:
    return {
        "activation": config.classifier_activation,
        "bias": bool(config.classifier_bias),
        "norm_epsilon": config.norm_eps,
        "norm_bias": bool(config.norm_bias),
    }


_TANH = _activation("tanh")
_OUT = {"dense": "classifier.dense", "linear": "classifier.out_proj"}
_LINEAR = {"linear": "classifier"}
_MODERN = {"dense": "head.dense", "norm": "head.norm", "linear": "classifier"}

ARCHITECTURES = (
    Architecture("BertForSequenceClassification", CLASSES, {"dense": "bert.pooler.dense", "linear": "classifier"}, _TANH),
    Architecture("AlbertForSequenceClassification", CLASSES, {"dense": "albert.pooler", "linear": "classifier"}, _TANH),
    Architecture("RobertaForSequenceClassification", CLASSES, _OUT, _TANH),
    Architecture("XLMRobertaForSequenceClassification", CLASSES, _OUT, _TANH),
    Architecture("CamembertForSequenceClassification", CLASSES, _OUT, _TANH),
    Architecture("MPNetForSequenceClassification", CLASSES, _OUT, _TANH),
    Architecture(
        "LongformerForSequenceClassification", CLASSES, _OUT, _TANH, lambda config: {"global_attention_on_first": True}
    ),
    Architecture("ElectraForSequenceClassification", CLASSES, _OUT, _activation("gelu")),
    Architecture(
        "DistilBertForSequenceClassification",
        CLASSES,
        {"dense": "pre_classifier", "linear": "classifier"},
        _activation("relu"),
    ),
    Architecture(
        "DebertaV2ForSequenceClassification", CLASSES, {"dense": "pooler.dense", "linear": "classifier"}, _of_pooler
    ),
    Architecture(
        "ModernBertForSequenceClassification",
        CLASSES,
        _MODERN,
        _of_modernbert,
        lambda config: {"classification_pooling": getattr(config, "classifier_pooling", "cls")},
    ),
    Architecture("ModernBertForTokenClassification", ENTITIES, _MODERN, _of_modernbert),
    *(
        Architecture(f"{name}ForTokenClassification", ENTITIES, _LINEAR)
        for name in (
            "Bert", "Albert", "Roberta", "XLMRoberta", "Camembert",
            "MPNet", "Longformer", "Electra", "DistilBert", "DebertaV2",
        )
    ),
)  # fmt: skip


def find_architecture(config: PreTrainedConfig) -> Architecture | None:
    """Return the row of a configuration, or None."""
    names = config.architectures or ()
    return next((row for row in ARCHITECTURES if row.name in names), None)


def labels_of(config: PreTrainedConfig) -> list[str]:
    """List the labels of a classifier, in order."""
    return [str(name) for _, name in sorted((config.id2label or {}).items())]


def reason_to_refuse(config: PreTrainedConfig) -> str:
    """Say why a head has no place here.

    Returns:
        A sentence for people, since the embedding of such a model stays; empty where the head has a place.
    """
    row, labels = find_architecture(config), labels_of(config)
    if len(set(labels)) < len(labels):
        return "Its head was left out: two of its labels have the same name."
    if row is not None and row.head == CLASSES and len(labels) == 1:
        return "Its head was left out: it gives one number (a regression or a cross-encoder) and not classes."
    if row is not None and row.head == CLASSES and _PAIR_LABELS & {label.lower() for label in labels}:
        return (
            "Its head was left out: it compares two sentences (natural language inference), and one is read at a time here."
        )
    return ""


def order_of(labels: Sequence[str]) -> list[int]:
    """Put `O` first: `[B-PER, O, I-PER] -> [1, 0, 2]`."""
    return sorted(range(len(labels)), key=lambda index: labels[index] != "O")


def dropout_of(config: PreTrainedConfig) -> float:
    """Return the dropout before the head."""
    found = (getattr(config, name, None) for name in _DROPOUTS)
    return float(next((value for value in found if value is not None), 0.1))


def set_dropout(config: PreTrainedConfig, dropout: float) -> None:
    """Set the dropout of the head, where there is one."""
    name = next((name for name in _DROPOUTS[:-1] if hasattr(config, name)), None)
    if name is not None:
        setattr(config, name, dropout)
