"""Configuration of the multi-task model: all that varies, as it stands in a checkpoint's config.json."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any, ClassVar, Literal

from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from mtdemo.models.embedding.layers import check_layers, width_after
from mtdemo.models.embedding.pooling import POOLINGS
from mtdemo.models.parts import HEAD_NAMES

CLASS_LABELS = ("negative", "neutral", "positive")
ENTITY_LABELS = ("O", "PER", "ORG", "LOC", "MISC")


class MultiTaskConfig(PreTrainedConfig):
    """Configuration of a `MultiTaskModel`.

    Attributes:
        backbone: configuration of any encoder that `AutoModel` knows.
        class_labels: names of the sentence classes, in the order of the logits.
        entity_labels: names of the token labels; `O`, where there is one, must be the first. `PER` (IO), `B-PER`, `I-PER`
            (BIO) and more with `E-`, `S-` (BIOES) or `L-`, `U-` (BILOU) all work.
        output_labels: labels of an additional linear layer over the sentence embedding; none by default. It is the
            "new output layer" of the freezing scenarios.
        pooling: how the sentence embedding is pooled: rows of `mtdemo.models.embedding.pooling.POOLINGS`, side by side.
        embedding_layers: what follows the pooling, in order: `{"kind": "normalize"}`, or `{"kind": "dense", …}` with
            `out_features`, `bias` and `activation`.
        prompt: what is read before every sentence; offsets stay those of the sentence.
        prompts: what can be read instead on wish, by name, such as `query` and `document`.
        pools_prompt: whether the word pieces of the prompt count in the pooling.
        classification_pooling: what the classification head reads, the mean of the tokens or the first token.
        multi_label: whether a sentence may have several classes, each with a probability of its own (sigmoid).
        head_layers: by the name of a head, what comes before its last layer where that differs from ours: `activation`,
            `bias`, `norm_epsilon`, `norm_bias`.
        head_note: why a head that the checkpoint has was left out, as a sentence for people.
        global_attention_on_first: whether a Longformer lets the first token see, and be seen by, all others.
        head_dropout: dropout before each head, 0 to 1.
        casing: whether `token_type_ids` carry the case of each piece's word (`mtdemo.text.tokenization.word_case`); the
            backbone then has four segment embeddings.
        type_change_cost: what the decoder of entities takes off for two neighbouring words of different types; at least 0.
        trained_heads: the heads whose weights come from training; all others are random and must be called untrained.
    """

    model_type = "multi-task-encoder"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {"backbone": SubConfigSpec(AutoConfig, model_type="bert")}

    backbone: PreTrainedConfig | dict[str, Any] | None = None
    class_labels: list[str] = field(default_factory=lambda: list(CLASS_LABELS))
    entity_labels: list[str] = field(default_factory=lambda: list(ENTITY_LABELS))
    output_labels: list[str] = field(default_factory=list)
    pooling: list[str] = field(default_factory=lambda: ["mean"])
    embedding_layers: list[dict[str, Any]] = field(default_factory=list)
    prompt: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    pools_prompt: bool = True
    classification_pooling: Literal["mean", "cls"] = "mean"
    multi_label: bool = False
    head_layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    head_note: str = ""
    global_attention_on_first: bool = False
    head_dropout: float = 0.1
    casing: bool = False
    type_change_cost: float = 0.0
    trained_heads: list[str] = field(default_factory=list)

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        if "O" in self.entity_labels[1:] or not self.entity_labels:
            raise ValueError(f"entity_labels must begin with 'O' (no entity), but they are {self.entity_labels}.")
        for labels in (self.class_labels, self.entity_labels, self.output_labels):
            if len(set(labels)) != len(labels):
                raise ValueError(f"Every label must have a name of its own, but they are {labels}.")
        if self.classification_pooling not in ("mean", "cls"):
            raise ValueError(f"classification_pooling is 'mean' or 'cls', not {self.classification_pooling!r}.")
        if not self.pooling or not set(self.pooling) <= set(POOLINGS):
            raise ValueError(f"pooling names one or more of {', '.join(POOLINGS)}, not {self.pooling}.")
        check_layers(self.embedding_layers)
        if not 0 <= self.type_change_cost < math.inf:
            raise ValueError(f"type_change_cost is a number from 0 on, not {self.type_change_cost!r}.")
        unknown = set(self.trained_heads) - set(HEAD_NAMES)
        if unknown:
            raise ValueError(f"trained_heads names {sorted(unknown)}; the heads are {', '.join(HEAD_NAMES)}.")

    @property
    def output_names_classes(self) -> bool:
        """True where the new output layer's outputs are the classes."""
        return bool(self.output_labels) and list(self.output_labels) == list(self.class_labels)

    @property
    def hidden_size(self) -> int:
        """Width of the hidden states."""
        return int(self.backbone.hidden_size)  # type: ignore[union-attr]

    @property
    def embedding_size(self) -> int:
        """Width of the sentence embedding."""
        return width_after(len(self.pooling) * self.hidden_size, self.embedding_layers)

    @property
    def is_normalized(self) -> bool:
        """True where every embedding has length 1."""
        return self.embedding_layers[-1:] == [{"kind": "normalize"}]

    @property
    def n_layers(self) -> int:
        """Number of encoder layers of the backbone."""
        return int(self.backbone.num_hidden_layers)  # type: ignore[union-attr]


AutoConfig.register(MultiTaskConfig.model_type, MultiTaskConfig)
