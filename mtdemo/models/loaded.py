"""A model in memory with its tokenizer and its description, and the change of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mtdemo.errors import PlanError
from mtdemo.models.answering import WindowOutput
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.windows import pad_windows, read_output
from mtdemo.results import ModelInfo
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import EncodedSentence, Window, encode_sentences

BYTES_PER_PARAMETER = 4  # float32
_PREFIXES = ("B-", "I-", "E-", "S-", "L-", "U-")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in evaluation mode, its tokenizer and its description.

    Attributes:
        model: the network; it is never changed while it serves.
        tokenizer: a fast one.
        scheme: the meaning of the entity labels.
        info: what people are told.
    """

    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase
    scheme: TagScheme
    info: ModelInfo

    def encode(self, texts: Sequence[str], max_length: int) -> tuple[EncodedSentence, ...]:
        """Tokenise texts as this model reads them.

        It is not safe to call from several threads at once.
        """
        return encode_sentences(self.tokenizer, texts, max_length, self.model.config.casing)

    def pad(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        """Make the network's inputs from windows; see `pad_windows`."""
        with_segments = "token_type_ids" in self.tokenizer.model_input_names or self.model.config.casing
        return pad_windows(windows, self.tokenizer.pad_token_id or 0, with_segments)

    def run(self, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
        """Run one forward pass over windows of similar length."""
        with torch.inference_mode():
            return read_output(self.model(**self.pad(windows)), windows)

    @property
    def n_bytes(self) -> int:
        """Memory of the weights."""
        return self.info.n_parameters * BYTES_PER_PARAMETER


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
    loaded.model.relabel(class_labels or config.class_labels, entity_labels)
    scheme = TagScheme.from_labels(entity_labels)
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
        hidden_size=config.hidden_size,
        n_layers=config.n_layers,
        max_length=_longest_input(model, tokenizer),
        class_labels=tuple(config.class_labels),
        entity_types=TagScheme.from_labels(config.entity_labels).types[1:],
        trained_heads=model.trained_heads,
    )


def _longest_input(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the word pieces that positions and tokenizer allow."""
    positions = getattr(model.config.backbone, "max_position_embeddings", None) or tokenizer.model_max_length
    for module_name, module in model.backbone.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            positions -= padding + 1  # roberta numbers positions from the padding index on
    return int(min(positions, tokenizer.model_max_length))
