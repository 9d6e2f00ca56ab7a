"""From sentences to analyses: windows, batches, forward passes, and results put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from mtdemo.inference.batching import plan_batches
from mtdemo.inference.forward import WindowRunner, run_windows
from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.results import SentenceAnalysis
from mtdemo.text.entity_spans import decode_entities
from mtdemo.text.tokenization import EncodedSentence, Window, join_windows


def analyze_batches(
    loaded: AnsweringModel,
    texts: Sequence[str],
    max_length: int,
    max_tokens: int = 4096,
    run: WindowRunner = run_windows,
) -> list[SentenceAnalysis]:
    """Analyse sentences without service, cache and other threads.

    Args:
        loaded: the model.
        texts: sentences, none blank.
        max_length: word pieces per window, special ones included.
        max_tokens: word pieces per forward pass.
        run: how windows are run; with the threads that torch has already.
    """
    encoded = loaded.encode(texts, max_length)
    outputs: dict[int, WindowOutput] = {}
    for batch in run_batches(loaded, windows_of(encoded), max_tokens, torch.get_num_threads(), run):
        outputs |= batch
    return to_analyses(loaded, encoded, outputs)


def windows_of(encoded: Sequence[EncodedSentence]) -> list[Window]:
    """List the windows of all sentences, in order."""
    return [window for sentence in encoded for window in sentence.windows]


def run_batches(
    loaded: AnsweringModel, windows: Sequence[Window], max_tokens: int, n_threads: int, run: WindowRunner
) -> Iterator[dict[int, WindowOutput]]:
    """Run windows batch by batch, those of similar length together.

    Args:
        loaded: the model.
        windows: in any order.
        max_tokens: word pieces per forward pass, padding counted.
        n_threads: how many threads torch may use.
        run: how a batch is run.

    Yields:
        After each batch, its outputs by their positions in `windows`: lengths 9, 2, 8, 2 with 20 tokens a batch give
        first the outputs of 1 and 3, then those of 2 and 0.
    """
    for batch in plan_batches([len(window.input_ids) for window in windows], max_tokens):
        yield dict(zip(batch, run(loaded, [windows[index] for index in batch], n_threads), strict=True))


def to_analyses(
    loaded: AnsweringModel, encoded: Sequence[EncodedSentence], outputs: Mapping[int, WindowOutput]
) -> list[SentenceAnalysis]:
    """Give each sentence the outputs of its windows.

    Args:
        loaded: the model that was asked.
        encoded: the sentences.
        outputs: by position in `windows_of(encoded)`, all of them.
    """
    in_order = iter([outputs[index] for index in range(len(outputs))])
    return [_to_analysis(loaded, sentence, [next(in_order) for _ in sentence.windows]) for sentence in encoded]


def _to_analysis(loaded: AnsweringModel, sentence: EncodedSentence, outputs: Sequence[WindowOutput]) -> SentenceAnalysis:
    """Join the windows of one sentence into its analysis."""
    probabilities = join_windows(sentence, [output.entity_probabilities for output in outputs])
    first = outputs[0]  # exactly the truncated sentence, which embedding and class are of
    return SentenceAnalysis(
        text=sentence.text,
        n_tokens=sentence.n_tokens,
        n_truncated=sentence.n_truncated,
        n_unknown=sentence.n_unknown,
        embedding=first.embedding,
        probabilities=dict(zip(loaded.info.class_labels, first.class_probabilities.tolist(), strict=True)),
        entities=decode_entities(sentence.text, sentence.pieces, probabilities, loaded.scheme),
    )
