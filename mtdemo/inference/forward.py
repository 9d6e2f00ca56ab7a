"""From windows to numbers, one batch one forward pass with torch used politely, and from numbers to results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtdemo.inference.batching import plan_batches
from mtdemo.models.checkpoints import LoadedModel
from mtdemo.results import FloatArray, SentenceAnalysis
from mtdemo.text.entity_spans import decode_entities
from mtdemo.text.tokenization import EncodedSentence, Window, join_windows


@dataclass(frozen=True, slots=True)
class WindowOutput:
    """What the model says of one window.

    Attributes:
        embedding: float32 (hidden,).
        class_probabilities: float32 (classes,).
        entity_probabilities: float32 (content pieces, entity labels).
    """

    embedding: FloatArray
    class_probabilities: FloatArray
    entity_probabilities: FloatArray


def run_windows(loaded: LoadedModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
    """Run one forward pass over windows of similar length.

    Args:
        loaded: the model.
        windows: at least one.
        n_threads: how many threads torch may use for it.
    """
    torch.set_num_threads(n_threads)
    with torch.inference_mode():
        return _read_output(loaded.model(**pad_windows(windows, loaded)), windows)


class HiddenStateCache:
    """Those of a backbone that does not change, computed once per window while there is room.

    Args:
        max_bytes: of what is kept; what does not fit is computed again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._states: dict[tuple[tuple[int, ...], ...], Tensor] = {}
        self._n_bytes_left = max_bytes
        self.n_computed = self.n_reused = 0  # windows

    def __call__(self, loaded: LoadedModel, windows: Sequence[Window]) -> tuple[Tensor, Tensor]:
        """Hidden states, float32 (windows, longest window, hidden), and attention mask, int64 (windows, longest window)."""
        keys = [(window.input_ids, window.token_type_ids) for window in windows]
        states = {key: self._states[key] for key in keys if key in self._states}
        missing = [row for row, key in enumerate(keys) if key not in states]
        self.n_computed += len(missing)
        self.n_reused += len(keys) - len(missing)
        if missing:
            with torch.no_grad():
                hidden = loaded.model.backbone(**pad_windows([windows[row] for row in missing], loaded)).last_hidden_state
            for place, row in enumerate(missing):
                states[keys[row]] = hidden[place, : len(keys[row][0])].clone()
                self._keep(keys[row], states[keys[row]])
        chosen = [states[key] for key in keys]
        masks = [torch.ones(len(state), dtype=torch.long) for state in chosen]
        return pad_sequence(chosen, batch_first=True), pad_sequence(masks, batch_first=True)

    def _keep(self, key: tuple[tuple[int, ...], ...], state: Tensor) -> None:
        if key not in self._states and state.nbytes <= self._n_bytes_left:
            self._states[key] = state
            self._n_bytes_left -= state.nbytes


class CachedRunner:
    """Runs windows as `run_windows` does, on hidden states that are computed once; for a model whose heads alone change."""

    def __init__(self, max_bytes: int) -> None:
        self._states = HiddenStateCache(max_bytes)

    def __call__(self, loaded: LoadedModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        """The same arguments and results as those of `run_windows`."""
        torch.set_num_threads(n_threads)
        with torch.inference_mode():
            return _read_output(loaded.model.apply_heads(*self._states(loaded, windows)), windows)


def _read_output(output: Any, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    embeddings = output.sentence_embedding.numpy()
    classes = output.classification_logits.softmax(dim=-1).numpy()
    labels = output.ner_logits.softmax(dim=-1).numpy()
    return tuple(
        WindowOutput(embeddings[row].copy(), classes[row].copy(), labels[row, window.content].copy())
        for row, window in enumerate(windows)
    )


WindowRunner = Callable[[LoadedModel, Sequence[Window], int], tuple[WindowOutput, ...]]


def analyze_batches(
    loaded: LoadedModel, texts: Sequence[str], max_length: int, max_tokens: int = 4096, run: WindowRunner = run_windows
) -> list[SentenceAnalysis]:
    """Analyse sentences without service, cache and other threads, with the threads that torch has already.

    Args:
        loaded: the model.
        texts: sentences, none blank.
        max_length: word pieces per window, special ones included.
        max_tokens: word pieces per forward pass.
        run: how windows are run.
    """
    encoded = loaded.encode(texts, max_length)
    windows = [window for sentence in encoded for window in sentence.windows]
    outputs: dict[int, WindowOutput] = {}
    for batch in plan_batches([len(window.input_ids) for window in windows], max_tokens):
        of_batch = run(loaded, [windows[index] for index in batch], torch.get_num_threads())
        outputs.update(zip(batch, of_batch, strict=True))
    in_order = iter([outputs[index] for index in range(len(windows))])
    return [to_analysis(loaded, sentence, [next(in_order) for _ in sentence.windows]) for sentence in encoded]


def to_analysis(loaded: LoadedModel, sentence: EncodedSentence, outputs: Sequence[WindowOutput]) -> SentenceAnalysis:
    """Put together what the model says of the windows of one sentence."""
    probabilities = join_windows(sentence, [output.entity_probabilities for output in outputs])
    first = outputs[0]
    first.embedding.setflags(write=False)
    return SentenceAnalysis(
        text=sentence.text,
        n_tokens=sentence.n_tokens,
        n_truncated=sentence.n_truncated,
        embedding=first.embedding,
        probabilities=MappingProxyType(
            dict(zip(loaded.info.class_labels, first.class_probabilities.tolist(), strict=True))
        ),
        entities=decode_entities(sentence.text, sentence.pieces, probabilities, loaded.scheme),
    )


def pad_windows(windows: Sequence[Window], loaded: LoadedModel) -> dict[str, Tensor]:
    """Make the model's inputs: int64 (windows, longest window) each, padded on the right."""
    longest = max(len(window.input_ids) for window in windows)
    shape = (len(windows), longest)
    inputs = {
        "input_ids": torch.full(shape, loaded.tokenizer.pad_token_id or 0),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    if "token_type_ids" in loaded.tokenizer.model_input_names or loaded.model.config.casing:
        inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        inputs["input_ids"][row, :length] = torch.tensor(window.input_ids)
        inputs["attention_mask"][row, :length] = 1
        if "token_type_ids" in inputs:
            inputs["token_type_ids"][row, :length] = torch.tensor(window.token_type_ids)
    return inputs
