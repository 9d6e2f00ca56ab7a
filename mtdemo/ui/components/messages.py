"""The page's words: the model, what was left out, warnings."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from mtdemo.models.parts import HEADS, LEARNED_TASKS, Task
from mtdemo.results import ANSWER_PARTS, Analysis, ModelInfo, SentenceAnalysis
from mtdemo.text.words import word_spans

_SENTENCE_HEADS = {head.name for head in HEADS if head.reads_sentences}
_MANY = 5


def as_plain_markdown(text: str) -> str:
    """Escape Markdown, HTML and formulas in a text."""
    return "".join(f"&#{ord(c)};" if c in "<>&*_`[]()#!\\|~$" else c for c in text)


def as_warnings(warnings: Sequence[str]) -> str:
    """List warnings as HTML; nothing where there are none."""
    items = "".join(f"<li>{html.escape(warning, quote=False)}</li>" for warning in warnings)
    return f'<ul class="warnings">{items}</ul>' if items else ""


def describe_model(info: ModelInfo) -> str:
    """Describe the model that answers in a line of Markdown."""
    heads = ", ".join(
        f"{task.singular} head {'trained' if task.head in info.trained_heads else '**untrained**'}"
        for task in reversed(LEARNED_TASKS)
    )
    sources = f" {as_plain_markdown(describe_sources(info))}" if info.sources else ""
    return (
        f"`{info.id}`: {info.architecture}, {info.n_layers} layers, {info.n_parameters / 1e6:.1f} million parameters; "
        f"{heads}.{sources}{f' {as_plain_markdown(info.note)}' if info.note else ''}"
    )


def describe_sources(info: ModelInfo) -> str:
    """Say which models were put together, and what it costs.

    Empty for a model that is one.
    """
    if not info.sources:
        return ""
    named = ", ".join(f"{part} from {source}" for part, source in zip(ANSWER_PARTS, info.sources, strict=True))
    n = info.passes_per_sentence
    cost = "one pass a sentence" if n == 1 else f"{n} passes a sentence, one for each different model"
    return f"Put together: {named}; {cost}."


def describe_answer(analysis: Analysis, task: Task | None = None) -> str:
    """Write the note over a result, as Markdown.

    It tells of an untrained head, of what was not read and of what is unknown; empty where there is nothing to tell.

    Args:
        analysis: the result.
        task: whose head the result comes from; None for embeddings, which need no head.
    """
    reservations = (
        *_untrained(analysis.model, task),
        *_truncated(analysis, task),
        *_unknown(analysis, task),
        *_fragments(analysis),
    )
    return "\n\n".join(reservations)


def warn_untrained(info: ModelInfo) -> list[str]:
    """Name the heads that are random, in a sentence each."""
    return [words.replace("*", "") for task in LEARNED_TASKS for words in _untrained(info, task)]


def _untrained(info: ModelInfo, task: Task | None) -> Iterator[str]:
    if task is not None and task.head not in info.trained_heads:
        yield (
            f"**Untrained head.** The {task.singular} head of this model has random weights, so what it answers "
            "is noise and says nothing about your sentences. The embedded model has trained heads."
        )


def _truncated(analysis: Analysis, task: Task | None) -> Iterator[str]:
    """Tell what was not read.

    Entities are read from the whole text, so nothing is said there.
    """
    readings = [sentence.reading_of(_part(task)) for sentence in analysis]
    longer = [(number, reading) for number, reading in enumerate(readings, start=1) if reading.n_truncated]
    if not longer or (task is not None and task.head not in _SENTENCE_HEADS):
        return
    what = task.singular if task else "embedding"
    if len(longer) > _MANY:
        numbers = ", ".join(str(number) for number, _ in longer[:_MANY])
        yield (
            f"**Cut:** {len(longer)} sentences were too long to be read whole for the {what} ({numbers}, …); the table "
            "says by how much."
        )
    for number, reading in longer[:_MANY] if len(longer) <= _MANY else ():
        yield (
            f"**Cut:** sentence {number} has {reading.n_tokens:,} word pieces. Its {what} comes from the first "
            f"{reading.n_tokens - reading.n_truncated:,}; the other {reading.n_truncated:,} were not read."
        )


def _part(task: Task | None) -> str:
    """Name the part of an answer of a task."""
    return task.title if task and task.title in ANSWER_PARTS else "embedding"


def _unknown(analysis: Analysis, task: Task | None) -> Iterator[str]:
    """Tell which sentences have pieces unknown to the model."""
    readings = [sentence.reading_of(_part(task)) for sentence in analysis]
    numbered = [(number, reading) for number, reading in enumerate(readings, start=1) if reading.n_unknown]
    hardly = [number for number, reading in numbered if reading.is_hardly_readable]
    if hardly:
        yield (
            f"**Hardly readable:** {_list_numbers(hardly)}. A third or more of the word pieces are unknown to this model, "
            "so no answer about such a sentence means anything. Is it in another language than the model's?"
        )
    partly = [number for number, reading in numbered if not reading.is_hardly_readable]
    if partly:
        n_pieces = sum(reading.n_unknown for _, reading in numbered if not reading.is_hardly_readable)
        yield (
            f"**Unknown:** {_list_numbers(partly)}: {n_pieces:,} word {'piece is' if n_pieces == 1 else 'pieces are'} not "
            "in the model's vocabulary, emoji often; they all read alike and add nothing to the answers."
        )


def pieces_per_word(sentence: SentenceAnalysis) -> float:
    """Count word pieces per word.

    The two special pieces are taken off; a word is as `mtdemo.text.words` says. Of models put together the one with most.
    """
    n_tokens = max(sentence.reading_of(part).n_tokens for part in ANSWER_PARTS)
    return (n_tokens - 2) / max(1, len(word_spans(sentence.text)))


def is_in_fragments(sentence: SentenceAnalysis) -> bool:
    """Tell if a model knows few words whole.

    True from 1.65 pieces per word on, in 6 words or more. With the embedded model none of 274 such English sentences has so
    many (at most 1.57), but German, Dutch or Spanish (1.7), Swedish (2.1) and Polish ones (2.6) have.
    """
    return len(word_spans(sentence.text)) >= 6 and pieces_per_word(sentence) >= 1.65


def _fragments(analysis: Analysis) -> Iterator[str]:
    """Tell which sentences are in a language that looks strange."""
    found = [
        (number, sentence)
        for number, sentence in enumerate(analysis, start=1)
        if is_in_fragments(sentence) and not sentence.is_hardly_readable
    ]
    if found:
        most = max(pieces_per_word(sentence) for _, sentence in found)
        yield (
            f"**In fragments:** {_list_numbers([number for number, _ in found])}. The model knows few of the words whole: "
            f"up to {most:.1f} pieces per word, where English has 1.1 with the embedded model. Is it another language?"
        )


def _list_numbers(numbers: Sequence[int]) -> str:
    """List sentences: `[1, 4] -> 2 sentences (1, 4)`."""
    shown = ", ".join(map(str, numbers[:_MANY])) + (", …" if len(numbers) > _MANY else "")
    return f"sentence {shown}" if len(numbers) == 1 else f"{len(numbers)} sentences ({shown})"


def shorten(text: str, n_characters: int) -> str:
    """Cut a text off: `(abcdef, 4) -> abc…`."""
    return text if len(text) <= n_characters else text[: n_characters - 1].rstrip() + "…"


def numbered(sentences: Sequence[SentenceAnalysis], n_characters: int) -> list[str]:
    """Label sentences by number and beginning: short, and never equal."""
    return [f"{number}. {shorten(sentence.text, n_characters)}" for number, sentence in enumerate(sentences, start=1)]
