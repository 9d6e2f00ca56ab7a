"""The model: one shared transformer backbone, a sentence embedding, and a head per task, from one forward pass.

`MultiTaskConfig` says everything that varies (backbone, labels, pooling); `MultiTaskModel` is an ordinary
`PreTrainedModel`. It also declares its parts (`MultiTaskModel.parts`), from which freezing and optimizer code work. Left
out on purpose: tokenisation, truncation and decoding, which belong to `mtdemo.text`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.declaration import declare_parts
from mtdemo.models.embedding.layers import EmbeddingLayers
from mtdemo.models.embedding.pooling import pool
from mtdemo.models.heads import ClassificationHead, LinearHead, OwnGenerator, draw_weights, make_head
from mtdemo.models.parts import HEAD_NAMES, HEADS, Parts

N_CASES = 4
SEED_OF_UNTRAINED = 0  # the same model, read twice, has the same heads also where these are random


@dataclass
class MultiTaskOutput(ModelOutput):
    """Output of one forward pass.

    Attributes:
        loss: float32 (), the sum of the task losses for which labels were given.
        last_hidden_state: float32 (batch, tokens, hidden).
        sentence_embedding: float32 (batch, width), made as the configuration says; by default the mean of the hidden states
            of the real tokens, not normalised.
        classification_logits: float32 (batch, classes).
        class_probabilities: float32 (batch, classes); rows sum to 1 but for a model of several classes a sentence.
        ner_logits: float32 (batch, tokens, entity labels).
        output_logits: float32 (batch, output labels), only with `output_labels` in the configuration.
        classification_loss, ner_loss, output_loss: float32 (), each only where its labels were given.
    """

    loss: Tensor | None = None
    last_hidden_state: Tensor | None = None
    sentence_embedding: Tensor | None = None
    classification_logits: Tensor | None = None
    class_probabilities: Tensor | None = None
    ner_logits: Tensor | None = None
    output_logits: Tensor | None = None
    classification_loss: Tensor | None = None
    ner_loss: Tensor | None = None
    output_loss: Tensor | None = None

    def on_cpu(self) -> MultiTaskOutput:
        """Return what the heads say as tensors of the CPU.

        Gradients flow back to wherever the model is.
        """
        names = ("sentence_embedding", "classification_logits", "class_probabilities", "ner_logits", "output_logits")
        return MultiTaskOutput(**{name: self[name].cpu() for name in names if name in self})


class MultiTaskModel(PreTrainedModel):
    """One backbone without pooler and the heads that share it."""

    config_class = MultiTaskConfig
    base_model_prefix = "backbone"
    main_input_name = "input_ids"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    classification_head: ClassificationHead
    ner_head: LinearHead
    output_layer: LinearHead | None

    def __init__(self, config: MultiTaskConfig, backbone: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        if backbone is None:  # without a dtype that of the configuration would be that of the whole process for a while
            backbone = AutoModel.from_config(config.backbone, dtype=torch.get_default_dtype())
        self.backbone = backbone
        if getattr(self.backbone, "pooler", None) is not None:
            self.backbone.pooler = None  # nothing here reads it, so it would never get a gradient
        self.embedding_layers = EmbeddingLayers(len(config.pooling) * config.hidden_size, config.embedding_layers)
        for head in HEADS:
            labels = getattr(config, head.labels, ())
            self.add_module(head.name, make_head(head.name, config, len(labels)) if labels else None)
        self.post_init()

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | Path, *model_args: Any, **kwargs: Any
    ) -> Any:
        """Load a multi-task checkpoint, or a backbone with new heads.

        Works as everywhere in transformers (a directory or a hub id, `revision`, `cache_dir`, `dtype`, …), but reads
        safetensors only, never a pickle. Labels and the like for a plain backbone can be given by `config`, a
        `MultiTaskConfig` whose backbone is then replaced.
        """
        kwargs.setdefault("use_safetensors", True)
        hub = {key: kwargs[key] for key in _HUB_ARGUMENTS if key in kwargs}
        found = AutoConfig.from_pretrained(pretrained_model_name_or_path, trust_remote_code=False, **hub)
        with OwnGenerator(SEED_OF_UNTRAINED):  # for weights that the checkpoint lacks
            if isinstance(found, MultiTaskConfig):
                return super().from_pretrained(pretrained_model_name_or_path, *model_args, **kwargs)
            return _from_backbone(pretrained_model_name_or_path, found, *model_args, **kwargs)

    @property
    def trained_heads(self) -> tuple[str, ...]:
        """Names of heads whose weights come from training."""
        return tuple(self.config.trained_heads)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        classification_labels: Tensor | None = None,
        ner_labels: Tensor | None = None,
        output_labels: Tensor | None = None,
        pooling_mask: Tensor | None = None,
        return_dict: bool | None = None,
        **backbone_inputs: Any,
    ) -> MultiTaskOutput:
        """Run the backbone once and all heads on it.

        Args:
            input_ids: int64 (batch, tokens).
            attention_mask: int64 (batch, tokens), 1 for real tokens; all ones when not given.
            classification_labels: int64 (batch,), indices into `class_labels`.
            ner_labels: int64 (batch, tokens), indices into `entity_labels`, -100 where nothing is asked.
            output_labels: int64 (batch,), indices into `output_labels` of the configuration.
            pooling_mask: int64 (batch, tokens), 1 for tokens that count in the pooling; the attention mask when not given.
            return_dict: accepted for compatibility; the output is always named.
            **backbone_inputs: whatever else the backbone takes, such as `token_type_ids` or `inputs_embeds`.
        """
        labels = {head.output: backbone_inputs.pop(f"{head.output}_labels", None) for head in HEADS}
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, **backbone_inputs}
        hidden_states = run_backbone(self, **inputs).last_hidden_state
        if attention_mask is None:
            attention_mask = hidden_states.new_ones(hidden_states.shape[:2], dtype=torch.long)
        output = self.apply_heads(hidden_states, attention_mask if pooling_mask is None else pooling_mask)
        labels |= {"classification": classification_labels, "ner": ner_labels, "output": output_labels}
        _add_losses(output, {name: its for name, its in labels.items() if its is not None})
        return output

    def apply_heads(self, hidden_states: Tensor, pooling_mask: Tensor) -> MultiTaskOutput:
        """Run pooling and heads on given hidden states.

        Args:
            hidden_states: float (batch, tokens, hidden), the last ones, in whatever precision the backbone has.
            pooling_mask: int64 (batch, tokens), 1 for tokens that count in the pooling; on any device.
        """
        config, states, mask = self.config, hidden_states.float(), pooling_mask.to(hidden_states.device)
        embedding = self.embedding_layers(pool(states, mask, config.pooling))
        output = MultiTaskOutput(last_hidden_state=states, sentence_embedding=embedding)
        for row in HEADS:
            if (head := getattr(self, row.name)) is not None:
                vectors = embedding if row.reads_sentences else states
                if row.name == "classification_head":
                    vectors = pool(states, mask, [config.classification_pooling])
                output[f"{row.output}_logits"] = head(vectors)
        logits: Any = output.classification_logits
        output.class_probabilities = logits.sigmoid() if config.multi_label else logits.softmax(dim=-1)
        return output

    @property
    def can_carry_case(self) -> bool:
        """True where the backbone has segment embeddings; DistilBERT has none."""
        embeddings = getattr(self.backbone, "embeddings", None)
        return isinstance(getattr(embeddings, "token_type_embeddings", None), nn.Embedding)

    def add_casing(self) -> None:
        """Let the segment embeddings carry the case of words.

        There are then four rows, one per case (`mtdemo.text.tokenization.word_case`), all equal to the first one before:
        `[[a], [b]] -> [[a], [a], [a], [a]]`. Every piece of a single sentence was read with the first row, so nothing
        changes until the rows are trained.

        Raises:
            ValueError: the backbone has no segment embeddings.
        """
        if not self.can_carry_case:
            raise ValueError(f"A {self.config.backbone.model_type} backbone has no segment embeddings to carry case.")
        embeddings: Any = self.backbone.embeddings
        first = embeddings.token_type_embeddings.weight.detach()[:1]
        embeddings.token_type_embeddings = nn.Embedding.from_pretrained(first.repeat(N_CASES, 1), freeze=False)
        self.config.backbone.type_vocab_size = N_CASES
        self.config.casing = True

    def add_output_layer(self, labels: Sequence[str]) -> None:
        """Add an untrained linear layer over the sentence embedding.

        Args:
            labels: one output each.
        """
        self.config.output_labels = list(labels)
        self._put_head("output_layer", labels)

    def relabel(self, class_labels: Sequence[str], entity_labels: Sequence[str]) -> None:
        """Give the heads other labels.

        A head whose labels change is a new, untrained one; the other stays as it is. An output layer of the old classes
        is taken away with them.
        """
        config = self.config
        with OwnGenerator(SEED_OF_UNTRAINED):
            if list(class_labels) != config.class_labels:
                self._put_head("classification_head", class_labels)
                self.renew_heads(["classification_head"], SEED_OF_UNTRAINED)
                self.output_layer, config.output_labels, config.multi_label = None, [], False
                self._call_untrained("output_layer")
            if list(entity_labels) != config.entity_labels:
                self._put_head("ner_head", entity_labels)
                self.renew_heads(["ner_head"], SEED_OF_UNTRAINED)
        config.class_labels, config.entity_labels = list(class_labels), list(entity_labels)

    def _put_head(self, name: str, labels: Sequence[str]) -> None:
        head = make_head(name, cast("MultiTaskConfig", self.config), len(labels))
        self.add_module(name, head.to(self.device).train(self.training))
        self._call_untrained(name)

    def _call_untrained(self, name: str) -> None:
        self.config.trained_heads = [head for head in self.config.trained_heads if head != name]

    def renew_heads(self, names: Sequence[str], seed: int | None = None) -> None:
        """Draw the weights of heads anew.

        Args:
            names: of the heads.
            seed: of a generator of its own; None to draw from that of the process, as a run does that has seeded it.
        """
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        for name in names:
            draw_weights(self.get_submodule(name), generator)

    def parts(self) -> Parts:
        """Declare the parts, lowest first: embeddings, layers, rest, heads.

        Every parameter stands in exactly one, a tied one in the first, so the parts sum to the model.
        """
        return declare_parts(self, self.config.n_layers)


def run_backbone(model: MultiTaskModel, **inputs: Any) -> Any:
    """Run a model's backbone alone, as its makers run it.

    Arguments are its own, such as `output_hidden_states`.
    """
    if model.config.global_attention_on_first and inputs.get("input_ids") is not None:
        inputs["global_attention_mask"] = _first_only(inputs["input_ids"])
    return model.backbone(**inputs, return_dict=True)


def _from_backbone(
    place: str | Path,
    found: PreTrainedConfig,
    *model_args: Any,
    config: MultiTaskConfig | None = None,
    output_loading_info: bool = False,
    **kwargs: Any,
) -> Any:
    """Load an encoder without pooler; put new heads on it."""
    backbone_class: Any = AutoModel._model_mapping[type(found)]
    if "add_pooling_layer" in inspect.signature(backbone_class).parameters:
        kwargs["add_pooling_layer"] = False
    backbone, report = AutoModel.from_pretrained(place, *model_args, config=found, output_loading_info=True, **kwargs)
    given = {} if config is None else config.to_dict()
    config = MultiTaskConfig(**{**given, "backbone": found, "trained_heads": []})
    model = MultiTaskModel(config, backbone=backbone).eval()
    model.renew_heads([name for name, _ in model.named_children() if name in HEAD_NAMES], SEED_OF_UNTRAINED)
    return (model, report) if output_loading_info else model


_HUB_ARGUMENTS = ("revision", "cache_dir", "token", "subfolder", "local_files_only", "force_download", "proxies")


def _first_only(input_ids: Tensor) -> Tensor:
    """Mark the first token of each row."""
    return functional.one_hot(torch.zeros_like(input_ids[:, 0]), input_ids.shape[1])


def _add_losses(output: MultiTaskOutput, labels: dict[str, Tensor]) -> None:
    """Add losses of labelled heads, and their sum."""
    for name, its in labels.items():
        output[f"{name}_loss"] = _cross_entropy(output.get(f"{name}_logits"), its)
    output.loss = torch.stack([output[f"{name}_loss"] for name in labels]).sum() if labels else None


def _cross_entropy(logits: Tensor | None, labels: Tensor) -> Tensor:
    """Average the loss over all labels."""
    if logits is None:
        raise ValueError("Labels were given for an output layer that this model does not have; see output_labels.")
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


AutoModel.register(MultiTaskConfig, MultiTaskModel)
