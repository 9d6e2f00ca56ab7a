"""A model in memory with its tokenizer and its description, and the change of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from mtdemo.errors import PlanError
from mtdemo.models.answering import WindowOutput
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.results import FrozenDict, ModelInfo
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import EncodedSentence, Window, encode_sentences

BYTES_PER_PARAMETER = 4  # float32
Products = Literal["plain", "reordered", "int8"]
_BYTES_ON_TOP: dict[Products, int] = {"plain": 0, "reordered": 4, "int8": 1}  # of a weight that is multiplied by
_PREFIXES = ("B-", "I-", "E-", "S-", "L-", "U-")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in evaluation mode, its tokenizer and its description.

    Attributes:
        model: the network; it is never changed while it serves.
        tokenizer: a fast one.
        scheme: the meaning of the entity labels.
        info: what people are told.
        products: how its forward passes multiply by weights; those in int8 or reordered are copies, and the weights here
            are plain all the same.
    """

    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase
    scheme: TagScheme
    info: ModelInfo
    products: Products = "plain"

    def encode(self, texts: Sequence[str], max_length: int, prompt: str | None = None) -> tuple[EncodedSentence, ...]:
        """Tokenise texts as this model reads them.

        It is not safe to call from several threads at once. `prompt` is read before each in place of the model's own.
        """
        config = self.model.config
        before = config.prompt if prompt is None else prompt
        return encode_sentences(self.tokenizer, texts, max_length, config.casing, before, config.pools_prompt)

    def pad(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        """Make the network's inputs from windows; see `pad_windows`.

        They are where the network is.
        """
        with_segments = "token_type_ids" in self.tokenizer.model_input_names or self.model.config.casing
        inputs = pad_windows(windows, self.tokenizer.pad_token_id or 0, with_segments)
        return {name: values.to(self.model.device) for name, values in inputs.items()}

    def run(self, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
        """Run one forward pass over windows of similar length."""
        with torch.inference_mode():
            return read_output(self.model(**self.pad(windows), pooling_mask=mask_pooling(windows)), windows)

    @property
    def place(self) -> str:
        """Device, and precision where not float32: `cuda, bfloat16`."""
        dtype = (
            "int8" if self.products == "int8" else str(next(self.model.backbone.parameters()).dtype).removeprefix("torch.")
        )
        return self.model.device.type + (f", {dtype}" if dtype != "float32" else "")

    @property
    def n_bytes(self) -> int:
        """Memory of the weights, copies for passes on top."""
        on_top = _BYTES_ON_TOP[self.products] * _count_linear_weights(self.model)
        return self.info.n_parameters * BYTES_PER_PARAMETER + on_top


def list_weights(module: nn.Module) -> list[Tensor]:
    """List parameters and buffers of a module.

    Twice as fast as its own methods, which name them, so that it can be asked before every forward pass.
    """
    found = (values for each in module.modules() for values in (each._parameters, each._buffers))
    return [tensor for values in found for tensor in values.values() if tensor is not None]


def _count_linear_weights(model: MultiTaskModel) -> int:
    """Count the numbers that a backbone multiplies by."""
    return sum(layer.weight.numel() for layer in model.backbone.modules() if type(layer) is nn.Linear)


def relabel(
    loaded: LoadedModel, class_labels: Sequence[str] | None = None, entity_types: Sequence[str] | None = None
) -> LoadedModel:
    """Give a model other labels; the model itself is changed.

    A head whose labels change is new and untrained; the other stays as it is.

    Args:
        loaded: the model.
        class_labels: at least two; None to leave them as they are.
        entity_types: at least one, without `O`, and without what BIO, BIOES and BILOU put before a type; None to leave them
            as they are. The model's own types in their own order change nothing, whether its labels are IO or BIO.

    Raises:
        PlanError: too few names, a blank one, one that stands twice, or a name that means something else.
    """
    for what, names, least in (("classes", class_labels, 2), ("entity types", entity_types, 1)):
        if names is not None and (len(names) < least or len(set(names)) < len(names) or not all(map(str.strip, names))):
            raise PlanError(f"There must be at least {least} {what} with different names, not {_listed(names)}.")
    if any(name == "O" or name[:2] in _PREFIXES for name in entity_types or ()):
        raise PlanError(
            "Entity types are named without O, B- and I- (and E-, S-, L- and U-, which files of other schemes put before "
            f"them), as PER, not {_listed(entity_types or ())}."
        )
    config = loaded.model.config
    stays = entity_types is None or tuple(entity_types) == loaded.info.entity_types
    entity_labels = config.entity_labels if stays else ["O", *(entity_types or ())]
    config.type_change_cost = config.type_change_cost if stays else 0.0
    loaded.model.relabel(class_labels or config.class_labels, entity_labels)
    scheme = TagScheme.from_labels(entity_labels, config.type_change_cost)
    return replace(loaded, scheme=scheme, info=describe_model(loaded.model, loaded.tokenizer, loaded.info.id))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def describe_model(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, name: str) -> ModelInfo:
    """Describe a model for the people who ask it."""
    config = model.config
    return ModelInfo(
        id=name,
        architecture=config.backbone.model_type,
        n_parameters=model.num_parameters(),
        hidden_size=config.embedding_size,
        n_layers=config.n_layers,
        max_length=_longest_input(model, tokenizer),
        class_labels=tuple(config.class_labels),
        entity_types=TagScheme.from_labels(config.entity_labels).types[1:],
        trained_heads=model.trained_heads,
        pooling=tuple(config.pooling),
        is_normalized=config.is_normalized,
        prompt=config.prompt,
        prompts=FrozenDict(config.prompts),
        multi_label=config.multi_label,
        note=config.head_note,
    )


def _longest_input(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the word pieces that positions and tokenizer allow."""
    positions = getattr(model.config.backbone, "max_position_embeddings", None) or tokenizer.model_max_length
    for module_name, module in model.backbone.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            positions -= padding + 1  # roberta numbers positions from the padding index on
    return int(min(positions, tokenizer.model_max_length))


def read_output(output: Any, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    """Cut the output of a batch into its windows."""
    embeddings = output.sentence_embedding.cpu().numpy()
    classes = output.class_probabilities.cpu().numpy()
    labels = output.ner_logits.softmax(dim=-1).cpu().numpy()
    return tuple(
        WindowOutput(embeddings[row].copy(), classes[row].copy(), labels[row, window.content].copy())
        for row, window in enumerate(windows)
    )


def pad_windows(windows: Sequence[Window], pad_token_id: int, with_segments: bool) -> dict[str, Tensor]:
    """Pad windows on the right into one batch.

    Args:
        windows: at least one.
        pad_token_id: what fills the rows; the attention mask hides it.
        with_segments: whether the network reads `token_type_ids`.

    Returns:
        `input_ids`, `attention_mask` and maybe `token_type_ids`, int64 (windows, longest window) each: two windows of 3
        and 2 pieces give `[[2, 7, 3], [2, 3, 0]]` with the mask `[[1, 1, 1], [1, 1, 0]]`.
    """
    longest = max(len(window.input_ids) for window in windows)
    shape = (len(windows), longest)
    inputs = {
        "input_ids": torch.full(shape, pad_token_id),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    if with_segments:
        inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        inputs["input_ids"][row, :length] = torch.tensor(window.input_ids)
        inputs["attention_mask"][row, :length] = 1
        if "token_type_ids" in inputs:
            inputs["token_type_ids"][row, :length] = torch.tensor(window.token_type_ids)
    return inputs


def mask_pooling(windows: Sequence[Window]) -> Tensor:
    """Mark the word pieces that count in the pooling.

    Returns:
        int64 (windows, longest window): a window of 4 pieces, the first 2 of which are a prompt that is not pooled, and one
        of 3 pieces give `[[0, 0, 1, 1], [1, 1, 1, 0]]`.
    """
    places = torch.arange(max(len(window.input_ids) for window in windows))
    rows = [(places >= window.n_unpooled) & (places < len(window.input_ids)) for window in windows]
    return torch.stack(rows).long()
