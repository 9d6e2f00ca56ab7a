"""The one box that sentences are written in, which feeds every tab."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.errors import EmptyInputError
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.ui.components.examples import EXAMPLES, Example

Result = TypeVar("Result")
MAX_CHARACTERS = 160  # of a sentence in a table; a click shows the whole
MAX_ROWS = 100  # of a table on the page, whose cells a browser copies whenever anything loads; files have all
MAX_SHOWN = 200  # lines of a file that stand in the box: a browser lays all of them out at every change
HOUR_S = 3_600
_CONCURRENCY = 8  # questions in work at once; the service interleaves their batches
_COMPARE = "(text, asked) => { window.mtdemo?.compare(text, asked); }"
_AFTER_PAINT = "(count) => window.mtdemo ? window.mtdemo.painted(count) : count"


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


def preview(file: LoadedFile) -> str:
    """Return the first texts of a file, for the box."""
    return "\n".join(file.texts[:MAX_SHOWN])


def whole_text(text: str | None, file: LoadedFile | None) -> str:
    """Return the text that the box stands for.

    It is all of a file while its preview stands there unchanged, else what stands there.
    """
    if file and len(file.texts) > MAX_SHOWN and split_lines(text) == split_lines(preview(file)):
        return "\n".join(file.texts)
    return text or ""


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
class SentenceBox:
    """The box, and the last reading of it.

    Attributes:
        sentences: what is typed.
        read: the button that reads it.
        link: the button that makes a link to this question.
        clear: the button that empties it.
        chips: the buttons of the examples.
        area: a place under the text, for what is told of where it came from.
        open_file: the button that takes a file.
        split: the button that splits its lines into sentences.
        put_back: the button that undoes that.
        file: the `LoadedFile` that the sentences came from; None where they came from elsewhere. A person may have changed
            the box since: `whole_text` says what is meant, and `find_rows` which sentence is of which row.
        asked: the text that the answers on the page are of. It stays on the server: each tab would be sent all of it.
        stood: what stood in the box when it was read.
        n_read: how often was read with success.
        n_answers: the same, once those answers are painted; a change of it fills the tabs.
        fills: what fills them so far, one after another: the browser looks through the page whenever one begins or ends,
            and all at once would hold it up.
        n_wanted: how often reading was asked for by an example or a link.
        lesson: what the chosen example teaches.
        problem: why the last reading failed; empty where it did not.
        work: how much was read, and how fast.
    """

    sentences: gr.Textbox
    read: gr.Button
    link: gr.Button
    clear: gr.Button
    chips: tuple[gr.Button, ...]
    area: gr.Column
    open_file: gr.UploadButton
    split: gr.Button
    put_back: gr.Button
    file: gr.State
    asked: gr.State
    stood: gr.Textbox
    n_read: gr.State
    n_answers: gr.State
    fills: list[Dependency]
    n_wanted: gr.State
    lesson: gr.Markdown
    problem: gr.HTML
    work: gr.HTML

    def read_with(self, model: gr.State, callback: Callable[..., Any], *outputs: Component) -> None:
        """Read when asked to, or when another model is chosen.

        Args:
            model: the visitor's choice of model.
            callback: gets what stands in the box, the model, `n_read` and `file`; gives `asked`, `stood`, `n_read`,
                `problem` and `work`.
            outputs: what else it fills.
        """
        gr.on(
            [self.read.click, self.sentences.submit, self.n_wanted.change, model.change],
            callback,
            [self.sentences, model, self.n_read, self.file],
            [self.asked, self.stood, self.n_read, self.problem, self.work, *outputs],
            api_visibility="private",
            show_progress_on=list(outputs),
            trigger_mode="always_last",
            concurrency_limit=_CONCURRENCY,
            concurrency_id="sentences",
        ).then(None, [self.sentences, self.stood], None, js=_COMPARE)

    def fill_with(
        self,
        model: gr.State,
        api_name: str | None,
        about: str,
        callback: Callable[..., Any],
        *outputs: Component,
        also: Sequence[Component] = (),
    ) -> None:
        """Fill a part after each reading, in turn.

        The sentences are in the cache by then, so this reads nothing again; and a tab that is opened is filled. Programs
        bring a text of their own to the endpoint, which no event of the page calls.

        Args:
            model: the visitor's choice of model.
            api_name: name of the endpoint; None where there is none.
            about: its description.
            callback: gets the text that was read, the model and what is `also` given.
            outputs: what it fills.
            also: what else the callback gets, such as `self.file`.
        """
        rules: dict[str, Any] = {
            "show_progress": "hidden",
            "trigger_mode": "always_last",
            "concurrency_limit": _CONCURRENCY,
            "concurrency_id": "sentences",
        }
        to_fill = list(outputs)
        when = self.fills[-1].then if self.fills else self.n_answers.change
        self.fills.append(when(callback, [self.asked, model, *also], to_fill, api_visibility="private", **rules))
        if api_name:
            given = [self.stood, model, *also]
            self.stood.submit(callback, given, to_fill, api_name=api_name, api_description=about, **rules)


def add_sentence_box() -> SentenceBox:
    """Add a box that holds the first of the examples."""
    with gr.Column(elem_id="ask"):
        sentences = gr.Textbox(
            EXAMPLES[0].text,
            label="One sentence per line, in English, or a file dropped here",
            lines=4,
            max_lines=10,
            elem_id="sentences",
        )
        area = gr.Column(elem_id="beside")
        with gr.Row(elem_id="actions"):
            look: dict[str, Any] = {"size": "sm", "elem_classes": "quiet", "min_width": 40}
            open_file = gr.UploadButton("Open a file", elem_id="open-file", **look)
            link = gr.Button("Copy link", **look)
            clear = gr.Button("Clear", elem_id="clear", **look)
            split = gr.Button("Split into sentences", elem_id="split", **look)
            put_back = gr.Button("Put back", elem_id="put-back", visible=False, **look)
            read = gr.Button("Read", variant="primary", elem_id="read", min_width=120)
    with gr.Row(elem_id="examples"):
        chips = tuple(gr.Button(example.title, size="sm", elem_classes="chip", min_width=40) for example in EXAMPLES)
    with gr.Column(elem_id="below"):
        lesson = gr.Markdown(EXAMPLES[0].teaches, elem_id="lesson")
        problem = gr.HTML(elem_id="problem")
        gr.HTML('<p id="stale" role="status"></p>', apply_default_css=False)
        work = gr.HTML(elem_id="work")
    stood = gr.Textbox(visible="hidden", label="What was read")
    file, asked, n_read, n_answers, n_wanted = gr.State(None), gr.State(""), gr.State(0), gr.State(0), gr.State(0)
    buttons = (read, link, clear, chips, area, open_file, split, put_back)
    read_so_far = (file, asked, stood, n_read, n_answers)
    box = SentenceBox(sentences, *buttons, *read_so_far, [], n_wanted, lesson, problem, work)
    # The tabs are filled after the answers are painted: asking for each takes the browser some milliseconds.
    box.n_read.change(
        lambda count: count, box.n_read, box.n_answers, js=_AFTER_PAINT, show_progress="hidden", api_visibility="private"
    )
    for chip, example in zip(chips, EXAMPLES, strict=True):
        chip.click(
            partial(take_example, example),
            box.n_wanted,
            [sentences, lesson, box.n_wanted],
            show_progress="hidden",
            api_visibility="private",
        )
    clear.click(lambda: "", None, sentences, show_progress="hidden", api_visibility="private")
    sentences.change(None, [sentences, stood], None, js=_COMPARE)
    return box


def take_example(example: Example, n_wanted: int) -> tuple[str, str, int]:
    """Put an example into the box and have it read."""
    return example.text, example.teaches, n_wanted + 1


def as_problem(message: str) -> str:
    """Write a failure as the HTML beside the box."""
    told = f"<strong>This did not work.</strong> {html.escape(message)} The answers below stay as they were."
    return f'<p role="alert">{told}</p>'
