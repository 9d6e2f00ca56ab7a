"""The panel at the side: which model answers, the choice of another one for this visitor alone, and its card."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED
from mtdemo.errors import CheckpointNotFoundError, MtdemoError
from mtdemo.models.catalog import KNOWN_MODELS, KnownModel
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.labels import describe_embedding
from mtdemo.ui.components.messages import as_plain_markdown, describe_model

OTHER = "other"
_OTHER_EXPECTATION = (
    "Before you load it: any encoder of the Hugging Face hub works by its id. A classifier or an entity tagger brings its "
    "head and its labels; any other head is new and **untrained**, so its answers will be random. Its embeddings are made "
    "as its files for sentence-transformers say (pooling, normalisation, prompt); without such files they are the mean of "
    "its last hidden states."
)
_FIRST_SECTIONS = ("## How good it is", "## What it is bad at")
_TOGGLE = "() => document.querySelector('#panel .toggle-button, .sidebar .toggle-button').click()"
_LOADING = "**Loading the model.** Read on, and ask already: your question is answered as soon as it is there."


def add_model_panel(service: ModelService, page: gr.Blocks, badge: gr.Button) -> tuple[gr.State, gr.Markdown]:
    """Add the panel that describes and chooses the model.

    Another model can be chosen where settings allow it.

    Args:
        service: loads and describes models.
        page: tells when a visitor comes.
        badge: names the model, and opens the panel.

    Returns:
        The visitor's model (None: the default), and the status line, which changes when another model is ready.
    """
    model = gr.State(None)
    with gr.Sidebar(position="right", open=False, width=440, elem_id="panel"):
        gr.Markdown("## The model")
        status = gr.Markdown(_LOADING, elem_classes="note", elem_id="status")
        watching = page.load(
            partial(watch_loading, service), None, status, show_progress="hidden", api_visibility="private"
        )
        if service.settings.hub_models:
            with gr.Accordion("Choose another model", open=False):
                _add_choice(service, model, status, watching)
        reading = gr.Markdown(describe_reading(service))
        card = read_card(Path(service.settings.checkpoint))
        if card:
            gr.Markdown(f"## About the embedded model\n\n{card}", elem_classes="card")
    for describe, shown in ((describe_badge, badge), (describe_reading, reading)):
        status.change(partial(describe, service), model, shown, show_progress="hidden", api_visibility="private")
    badge.click(None, None, None, js=_TOGGLE, api_visibility="private")
    return model, status


def describe_badge(service: ModelService, model: str | None) -> str:
    """Name the model that answers, in a few words."""
    info = service.loaded(model)
    return f"{info.id} · {info.architecture} · {info.n_layers} layers" if info else "No model yet"


def describe_reading(service: ModelService, model: str | None = None) -> str:
    """Describe how much is read, and how embeddings are made."""
    info = service.loaded(model)
    embedding = f" {describe_embedding(info)}" if info else ""
    return (
        "## How it reads\n\n"
        f"Of each sentence the first {service.settings.max_length} word pieces make embedding and class, or fewer where "
        "the model cannot read so many; entities are read from the whole text through overlapping windows. What was cut "
        f"or is unknown is told beside every answer.{embedding}"
    )


def read_card(directory: Path) -> str:
    """Read a model card, with quality and limits first.

    Returns:
        Markdown without the card's title, its headings a level lower; empty where the directory has no card.
    """
    path = directory / "README.md"
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    if text.startswith("---\n"):
        text = text.split("\n---\n", 1)[-1]
    opening, *sections = re.split(r"^(?=## )", text.strip().removeprefix("# The embedded checkpoint"), flags=re.MULTILINE)
    summary, _, details = opening.strip().partition("\n\n")
    first = [section for section in sections if section.startswith(_FIRST_SECTIONS)]
    parts = [summary, *first, details, *(section for section in sections if section not in first)]
    return re.sub(r"^(?=##)", "#", "\n\n".join(part.strip() for part in parts), flags=re.MULTILINE).strip()


def _add_choice(service: ModelService, model: gr.State, status: gr.Markdown, watching: Any) -> None:
    choice = gr.Radio(
        [*((_title(service, known), known.id) for known in KNOWN_MODELS), ("Another model of the hub", OTHER)],
        value=service.settings.model if service.settings.model in _known_ids() else OTHER,
        label="Model",
        info="Your choice is yours alone; other visitors keep theirs.",
    )
    first = service.settings.model
    hub_id = gr.Textbox(
        "" if first in _known_ids() else first,
        label="Model id",
        placeholder="owner/name",
        visible=first not in _known_ids(),
        max_lines=1,
    )
    expectation = gr.Markdown(_expectation(service, first))
    load = gr.Button("Load and use this model")
    choice.change(
        partial(show_expectation, service), choice, [expectation, hub_id], show_progress="hidden", api_visibility="private"
    )
    load.click(
        partial(use_model, service),
        [choice, hub_id, model],
        [model, status],
        api_visibility="private",
        concurrency_limit=16,  # who chooses a model in memory does not wait for those who wait for the hub
        cancels=watching,  # whose last word would be of the default model
    )


def watch_loading(service: ModelService) -> Iterator[str]:
    """Yield the status line while the first model is loading."""
    if service.loaded() is None:
        yield _LOADING
    try:
        yield describe_ready(service, None)
    except MtdemoError as error:
        yield _failure(f"**The model could not be loaded.** {as_plain_markdown(str(error))}")


def show_expectation(service: ModelService, choice: str) -> tuple[str, Any]:
    """Say what to expect of a model.

    It is not loaded yet. The field for an id is shown where one is needed.
    """
    return _expectation(service, choice), gr.Textbox(visible=choice == OTHER)


def use_model(service: ModelService, choice: str, hub_id: str, current: str | None) -> Iterator[tuple[Any, str]]:
    """Load a model for this visitor.

    If that fails, the one in use stays in use, be it another one by then.
    """
    chosen = choice if choice != OTHER else hub_id.strip()
    pool = ThreadPoolExecutor(1)
    began = time.monotonic()
    try:
        if not chosen:
            raise CheckpointNotFoundError("No model id was given. Write one as on the hub, such as bert-base-uncased.")
        loading = pool.submit(describe_ready, service, chosen)
        while True:
            yield gr.skip(), _describe_loading(chosen, time.monotonic() - began)
            if wait([loading], timeout=1.0).done:
                break
        ready = loading.result()
    except MtdemoError as error:
        in_use = service.loaded(current)
        stays = f" **The model in use stays in use.** **Ready.** {describe_model(in_use)}" if in_use else ""
        yield gr.skip(), _failure(f"{as_plain_markdown(str(error))}{stays}")
    else:
        yield chosen, ready
    finally:
        pool.shutdown(wait=False)  # a visitor who leaves is not waited for


def _describe_loading(chosen: str, seconds: float) -> str:
    waited = f" {seconds:.0f} s so far." if seconds >= 1 else ""
    return (
        f"**Loading {_code(chosen)}.**{waited} A model of the hub is downloaded first, which can take minutes; a hub "
        "that is silent for 20 s is given up."
    )


def _failure(text: str) -> str:
    """Quote a failure, which has the colour of warnings."""
    return f"> {text}"


def describe_ready(service: ModelService, model: str | None) -> str:
    """Return a model's status line, loading it where necessary."""
    return f"**Ready.** {describe_model(service.load(model))}"


def _title(service: ModelService, known: KnownModel) -> str:
    other = known.id == EMBEDDED and service.settings.checkpoint_name != EMBEDDED
    return "The checkpoint of this page" if other else known.title


def _expectation(service: ModelService, choice: str) -> str:
    if choice == EMBEDDED and service.settings.checkpoint_name != EMBEDDED:
        return "The checkpoint that this page was started with. Nothing is downloaded."
    return next((known.expectation for known in KNOWN_MODELS if known.id == choice), _OTHER_EXPECTATION)


def _known_ids() -> tuple[str, ...]:
    return tuple(known.id for known in KNOWN_MODELS)


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"
