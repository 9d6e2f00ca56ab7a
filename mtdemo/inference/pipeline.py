"""From sentences to analyses: windows, batches, forward passes, and results put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mtdemo.inference.batching import plan_batches
from mtdemo.inference.forward import WindowOutput, run_windows
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis
from mtdemo.text.entity_spans import decode_entities
from mtdemo.text.tokenization import EncodedSentence, Window, join_windows

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
    return SentenceAnalysis(
        text=sentence.text,
        n_tokens=sentence.n_tokens,
        n_truncated=sentence.n_truncated,
        embedding=first.embedding,
        probabilities=dict(zip(loaded.info.class_labels, first.class_probabilities.tolist(), strict=True)),
        entities=decode_entities(sentence.text, sentence.pieces, probabilities, loaded.scheme),
    )
