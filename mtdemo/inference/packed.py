"""Packed passes: windows of any lengths side by side in one row, so that no padding is computed.

All of an encoder but its attention treats each word piece by itself, wherever it stands in the row. Attention is called
through the interface of transformers, so a function of our own can part the row into its windows again. Windows of equal
length stand together and are attended to in one call. The weights are those of the model, in a copy of its modules that
has a configuration of its own: the model itself is not changed, and a padded pass may run beside a packed one.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface

from mtdemo.models.answering import WindowOutput
from mtdemo.models.loaded import LoadedModel, list_weights, mask_pooling, read_output
from mtdemo.text.tokenization import Window

_ATTENTION = "packed"  # the name of our functions in the interfaces of transformers


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows of equal length, side by side in a row.

    Attributes:
        start: of the first one, in word pieces.
        n_windows: how many.
        length: of each, in word pieces.
    """

    start: int
    n_windows: int
    length: int

    def part(self, row: Tensor, dim: int = 1) -> Tensor:
        """Cut the windows out of a row, without copying.

        `(…, pieces, …) -> (…, windows, length, …)`
        """
        own: Tensor = row.narrow(dim, self.start, self.n_windows * self.length)
        return own.view(*own.shape[:dim], self.n_windows, self.length, *own.shape[dim + 1 :])


def _count(input_ids: Tensor, backbone: Any) -> Tensor:
    """Number word pieces from 0.

    `[[5, 6, 7]] -> [[0, 1, 2]]`
    """
    return torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)


def _count_after_padding(input_ids: Tensor, backbone: Any) -> Tensor:
    """Number word pieces from the padding index on.

    RoBERTa does so: a padding index of 1 gives 2, 3, 4, …, and always 1 to the word piece that pads.
    """
    embeddings = backbone.embeddings
    numbers: Tensor = embeddings.create_position_ids_from_input_ids(input_ids, embeddings.padding_idx)
    return numbers


# Architectures that can be packed, and how they number word pieces. tests/inference/test_packed.py proves each row. The
# others go on with padding, for reasons such as an attention of their own (MPNet, DeBERTa, Longformer) or a layer that
# mixes neighbouring word pieces (MobileBERT).
PACKED: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "albert": _count,
    "bert": _count,
    "camembert": _count_after_padding,
    "data2vec-text": _count_after_padding,
    "distilbert": _count,
    "electra": _count,
    "ernie": _count,
    "eurobert": _count,
    "jina_embeddings_v3": _count,
    "modernbert": _count,
    "nomic_bert": _count,
    "roberta": _count_after_padding,
    "roberta-prelayernorm": _count_after_padding,
    "xlm-roberta": _count_after_padding,
    "xlm-roberta-xl": _count_after_padding,
}


def can_pack(loaded: object) -> TypeGuard[LoadedModel]:
    """Return True for a model whose windows can be packed."""
    if not isinstance(loaded, LoadedModel):
        return False
    config: Any = loaded.model.backbone.config
    return config.model_type in PACKED and not getattr(config, "is_decoder", False)


def run_packed(loaded: LoadedModel, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    """Run one forward pass over windows of any lengths.

    Args:
        loaded: a model that `can_pack`.
        windows: at least one, in any order.

    Returns:
        One output per window, in order.
    """
    by_length = sorted(range(len(windows)), key=lambda index: len(windows[index].input_ids))
    outputs: dict[int, WindowOutput] = {}
    with torch.inference_mode():
        stretches, hidden = compute_hidden_states(loaded, [windows[index] for index in by_length])
        places = iter(by_length)
        for stretch in stretches:
            own = [next(places) for _ in range(stretch.n_windows)]
            states = stretch.part(hidden)[0]
            its = [windows[index] for index in own]
            output = loaded.model.apply_heads(states, mask_pooling(its))
            outputs |= dict(zip(own, read_output(output, its), strict=True))
    return tuple(outputs[index] for index in range(len(windows)))


def count_rows(n_pieces: int) -> int:
    """Round word pieces up to one of few numbers.

    oneDNN writes code for every number of rows that it multiplies, 0.6 MB for each kind of product, and keeps it. These
    are 4, 8, … 64, and then eight per doubling: 72, 80, … 128, 144, …; above 32 at most an eighth is added.
    """
    step = 4 if n_pieces <= 32 else 2 ** (n_pieces - 1).bit_length() // 16
    return -(-n_pieces // step) * step


def compute_hidden_states(loaded: LoadedModel, windows: Sequence[Window]) -> tuple[list[Stretch], Tensor]:
    """Compute the last hidden states of windows side by side.

    Args:
        loaded: a model that `can_pack`.
        windows: at least one, sorted by length.

    Returns:
        Where the windows stand, and float32 (1, pieces, hidden).
    """
    backbone = _copies.of(loaded.model.backbone)
    number = PACKED[backbone.config.model_type]
    stretches: list[Stretch] = []
    parts: dict[str, list[Tensor]] = {}
    start = 0
    for length, group in groupby(windows, key=lambda window: len(window.input_ids)):
        inputs = loaded.pad(equal := list(group))  # of equal length: nothing is padded
        del inputs["attention_mask"]
        inputs["position_ids"] = number(inputs["input_ids"], backbone)
        for name, values in inputs.items():
            parts.setdefault(name, []).append(values.flatten())
        stretches.append(Stretch(start, len(equal), length))
        start += len(equal) * length
    n_spare = count_rows(start) - start if loaded.products == "reordered" else 0
    spare = (Stretch(start, n_spare, 1),) if n_spare else ()  # windows of one piece, which nobody reads
    for row_of in parts.values():
        row_of.append(row_of[0].new_zeros(n_spare))
    row = {name: torch.cat(values).unsqueeze(0) for name, values in parts.items()}
    return stretches, backbone(**row, stretches=(*stretches, *spare)).last_hidden_state[:, :start]


class _PackedCopies:
    """Backbones that share a model's weights, kept while it lives."""

    def __init__(self) -> None:
        self._copies: WeakKeyDictionary[nn.Module, tuple[nn.Module, list[Tensor]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, backbone: nn.Module) -> Any:
        """Return the copy of a backbone.

        It is made anew where parameters were replaced.
        """
        tensors = list_weights(backbone)
        with self._lock:
            known = self._copies.get(backbone)
            if known is not None and len(known[1]) == len(tensors) and all(map(_is, known[1], tensors)):
                return known[0]
            shared = {id(tensor): tensor for tensor in tensors}
            mine: Any = copy.deepcopy(backbone, dict(shared)).eval()
            mine.config._attn_implementation = _ATTENTION
            self._copies[backbone] = (mine, tensors)
            return mine


def _is(one: object, other: object) -> bool:
    return one is other


_copies = _PackedCopies()


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    stretches: tuple[Stretch, ...],
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Let word pieces attend to those of their own window.

    Args:
        module: the attention layer.
        query: float (1, heads, pieces, size).
        key: the same.
        value: the same.
        attention_mask: None.
        stretches: where windows of equal length stand.
        sliding_window: how far a piece sees, itself counted; everywhere by default.
        **others: for `sdpa_attention_forward`.

    Returns:
        float (1, pieces, heads, size).
    """
    attended = []
    for stretch in stretches:
        mask = None
        if sliding_window is not None and stretch.length > sliding_window:
            places = torch.arange(stretch.length, device=query.device)
            mask = ((places[:, None] - places).abs() < sliding_window)[None, None]
        q, k, v = (stretch.part(tensor, dim=2)[0].transpose(0, 1) for tensor in (query, key, value))
        output, _ = sdpa_attention_forward(module, q, k, v, mask, is_causal=False, **others)
        attended.append(output.flatten(0, 1))
    return torch.cat(attended).unsqueeze(0), None


def _mask_nothing(*_: Any, **__: Any) -> None:
    """Give no mask: `_attend` knows where windows end."""


AttentionInterface.register(_ATTENTION, _attend)
AttentionMaskInterface.register(_ATTENTION, _mask_nothing)
