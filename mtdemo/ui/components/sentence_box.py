"""The box that sentences are written in, its examples, and the way from there to the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from mtdemo.errors import EmptyInputError
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable

Result = TypeVar("Result")
MAX_CHARACTERS = 160  # of a sentence in a table; a click shows the whole
_CONCURRENCY = 8  # questions in work at once; the service interleaves their batches

REFERENCE_EXAMPLES = (
    "Fetch Rewards is a good company!",
    "I need this job.",
    "Deep learning models are powerful.",
    "The new iPhone model will release next month.",
    "John and Lisa went to Microsoft to work.",
)


def split_lines(text: str | None) -> list[str]:
    """Split what a person typed into sentences, one per line.

    Blank lines are left out. Only line breaks that a keyboard makes count, and characters that no encoding can carry are
    replaced one for one.
    """
    lines = [line.strip() for line in replace_unreadable(text or "").replace("\r", "\n").split("\n")]
    return [line for line in lines if line]


def read_lines(text: str) -> list[str]:
    """Split what a person typed into sentences, as `split_lines`.

    Raises:
        EmptyInputError: there is no line with anything on it.
    """
    sentences = split_lines(text)
    if not sentences:
        raise EmptyInputError("There is nothing to read yet. Write one sentence per line, or click an example.")
    return sentences


def ask(
    service: ModelService, question: Callable[..., Result], text: str, model: str | None, progress: gr.Progress
) -> Result:
    """Ask the service about the lines of a text.

    Args:
        service: tells whether the model is there.
        question: one of its methods.
        text: one sentence per line.
        model: the visitor's choice of model; None for the default.
        progress: shows the windows that were read.
    """
    sentences = read_lines(text)
    if service.loaded(model) is None:
        progress(None, desc="The model is still loading; your question is answered as soon as it is there")

    def follow(phrase: str, n_done: int, n_windows: int) -> None:
        progress((n_done, n_windows), desc=phrase.capitalize(), unit="pieces of text")

    return question(sentences, model, progress=follow)


@dataclass(frozen=True, slots=True)
class Example:
    """Sentences to try, and what to call them."""

    title: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)


@dataclass(frozen=True, slots=True)
class SentenceBox:
    """A box for sentences, with a button and examples.

    Attributes:
        sentences: the box.
        button: asks.
        n_examples: how often an example was clicked, so that a change of it asks too.
    """

    sentences: gr.Textbox
    button: gr.Button
    n_examples: gr.State

    def answer_with(
        self, page: gr.Blocks, model: gr.State, api_name: str, about: str, callback: Callable[..., Any], *outputs: Component
    ) -> None:
        """Call back when the button or an example is clicked.

        The first example is answered as soon as the page is open, so no tab is ever empty. All that is shown comes from
        one call, so that it answers one question, and what was asked meanwhile is answered after it.

        Args:
            page: the page that the box is on.
            model: the visitor's choice of model.
            api_name: name of the endpoint.
            about: its description.
            callback: gets the text and the model.
            outputs: what it fills.
        """
        gr.on(
            [page.load, self.button.click, self.n_examples.change],
            callback,
            [self.sentences, model],
            list(outputs),
            api_name=api_name,
            api_description=about,
            trigger_mode="always_last",
            concurrency_limit=_CONCURRENCY,
            concurrency_id="sentences",
        )


def add_sentences(label: str, action: str, examples: Sequence[Example]) -> SentenceBox:
    """Add a box that holds the first of the examples."""
    sentences = gr.Textbox(examples[0].text, label=label, info="One sentence per line, in English.", lines=3, max_lines=12)
    button = gr.Button(action, variant="primary")
    dataset = gr.Examples(
        [[example.text] for example in examples],
        [sentences],
        label="Or click an example",
        example_labels=[example.title for example in examples],
        api_visibility="private",
    )
    n_examples = gr.State(0)
    dataset.load_input_event.success(
        count_example, n_examples, n_examples, show_progress="hidden", api_visibility="private"
    )
    return SentenceBox(sentences, button, n_examples)


def count_example(n_examples: int) -> int:
    """Count a click on an example."""
    return n_examples + 1
