"""A model read after all of its layers at once, pooled in every way, by one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from mtdemo.inference.linear_layers import as_computed
from mtdemo.models.answering import WindowOutput
from mtdemo.models.embedding.pooling import pool
from mtdemo.models.embedding.variation import readable_layers
from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.models.multitask import run_backbone
from mtdemo.models.repository.variants import POOLINGS
from mtdemo.results import FloatArray, ModelInfo
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import EncodedSentence, Window

_NOTHING = np.zeros(0, dtype=np.float32)


class LayerReader:
    """An `AnsweringModel` whose embedding holds all of a model's.

    Args:
        loaded: the model.

    Attributes:
        names: pooling and layer (from 1) of each embedding, layer by layer. Each is that of `vary_embedding`.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._layers = readable_layers(loaded.model)
        self.names = tuple((pooling, layer) for layer in self._layers for pooling in POOLINGS)

    @property
    def info(self) -> ModelInfo:
        return self._loaded.info

    @property
    def scheme(self) -> TagScheme:
        return self._loaded.scheme

    @property
    def n_bytes_per_sentence(self) -> int:
        """Memory of all embeddings of a sentence."""
        return 4 * len(self.names) * int(self._loaded.model.config.hidden_size)

    def encode(self, texts: Sequence[str], max_length: int, prompt: str | None = None) -> tuple[EncodedSentence, ...]:
        """Tokenise texts as the model does."""
        return self._loaded.encode(texts, max_length, prompt)

    def run(self, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
        """Run one forward pass; without classes and entities."""
        loaded = as_computed(self._loaded)
        with torch.inference_mode():
            output = run_backbone(loaded.model, **loaded.pad(windows), output_hidden_states=True)
            states = [*output.hidden_states[:-1], output.last_hidden_state]
            mask = mask_pooling(windows).to(states[-1].device)
            vectors = [pool(states[layer].float(), mask, [pooling]) for pooling, layer in self.names]
            rows = torch.cat(vectors, dim=-1).cpu().numpy()
        return tuple(WindowOutput(row.copy(), _NOTHING, _NOTHING) for row in rows)

    def gather(self, outputs: Mapping[int, WindowOutput]) -> dict[tuple[str, int], FloatArray]:
        """Gather the embeddings of windows.

        Args:
            outputs: by position, all of them.

        Returns:
            float32 (windows, hidden) for each of `names`.
        """
        rows = np.stack([outputs[place].embedding for place in range(len(outputs))])
        return dict(zip(self.names, np.split(rows, len(self.names), axis=1), strict=True))
