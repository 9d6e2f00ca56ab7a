"""What the page says in words: who answered, what was left out, and errors as toasts."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import gradio as gr

from mtdemo.errors import MtdemoError
from mtdemo.results import Analysis, ModelInfo, SentenceAnalysis

Callback = TypeVar("Callback", bound=Callable[..., Any])

_TASKS = {"classification_head": "Class", "ner_head": "Entity"}
_MANY = 5


def shows_errors(callback: Callback) -> Callback:
    """Show this project's errors to the person as one message; anything else stays a bug and is raised as it is."""

    @wraps(callback)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except MtdemoError as error:
            message = html.escape(str(error), quote=False)  # a toast is HTML, and an error may quote what was typed
            raise gr.Error(message, title="This did not work", print_exception=False) from error

    return cast(Callback, guarded)


def as_plain_markdown(text: str) -> str:
    """A text in which nothing is Markdown, HTML or a formula."""
    return "".join(f"&#{ord(c)};" if c in "<>&*_`[]()#!\\|~$" else c for c in text)


def as_warnings(warnings: Sequence[str]) -> str:
    """Warnings as an HTML list; nothing where there are none."""
    items = "".join(f"<li>{html.escape(warning, quote=False)}</li>" for warning in warnings)
    return f'<ul class="warnings">{items}</ul>' if items else ""


def describe_model(info: ModelInfo) -> str:
    """One line on the model that answers and whether its heads are trained, as Markdown."""
    heads = ", ".join(
        f"{name.lower()} head {'trained' if head in info.trained_heads else '**untrained**'}"
        for head, name in _TASKS.items()
    )
    return (
        f"`{info.id}`: {info.architecture}, {info.n_layers} layers, {info.n_parameters / 1e6:.1f} million parameters; "
        f"{heads}."
    )


def describe_answer(analysis: Analysis, head: str | None = None) -> str:
    """The note under a result, as Markdown: untrained head, what was not read, who answered.

    Args:
        analysis: the result.
        head: the head that the result comes from; None for embeddings, which need none.
    """
    answered = f"Answered by {describe_model(analysis.model)}"
    return "\n\n".join([*_untrained(analysis.model, head), *_truncated(analysis, head), answered])


def _untrained(info: ModelInfo, head: str | None) -> Iterator[str]:
    if head is not None and head not in info.trained_heads:
        yield (
            f"**Untrained head.** The {_TASKS[head].lower()} head of this model has random weights, so what you see here "
            "is noise and says nothing about your sentences. The embedded model has trained heads."
        )


def _truncated(analysis: Analysis, head: str | None) -> Iterator[str]:
    """Entities are read from the whole text, so nothing is said there."""
    longer = [(number, sentence) for number, sentence in enumerate(analysis, start=1) if sentence.n_truncated]
    if not longer or head == "ner_head":
        return
    what = "class" if head else "embedding"
    if len(longer) > _MANY:
        numbers = ", ".join(str(number) for number, _ in longer[:_MANY])
        yield (
            f"**Cut:** {len(longer)} sentences were too long to be read whole for the {what} ({numbers}, …); the table "
            "says by how much."
        )
    for number, sentence in longer[:_MANY] if len(longer) <= _MANY else ():
        yield (
            f"**Cut:** sentence {number} has {sentence.n_tokens:,} word pieces. Its {what} comes from the first "
            f"{sentence.n_tokens - sentence.n_truncated:,}; the other {sentence.n_truncated:,} were not read."
        )


def shorten(text: str, n_characters: int) -> str:
    """The beginning of a text, with an ellipsis where something is left out."""
    return text if len(text) <= n_characters else text[: n_characters - 1].rstrip() + "…"


def numbered(sentences: Sequence[SentenceAnalysis], n_characters: int) -> list[str]:
    """Labels that are short and never equal: the number and the beginning of each sentence."""
    return [f"{number}. {shorten(sentence.text, n_characters)}" for number, sentence in enumerate(sentences, start=1)]
