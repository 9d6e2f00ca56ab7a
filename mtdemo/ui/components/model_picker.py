"""The panel at the side: which model answers, the choice of another one for this visitor alone, and its card."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED
from mtdemo.errors import CheckpointError, CheckpointNotFoundError, MtdemoError
from mtdemo.models.catalog import KNOWN_MODELS, KnownModel, allowed_models
from mtdemo.models.repository.together import SEPARATOR, read_parts
from mtdemo.models.repository.variants import POOLINGS, Variant, read_variant
from mtdemo.results import ANSWER_PARTS
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.labels import POOLING_WORDS, describe_embedding
from mtdemo.ui.components.messages import as_plain_markdown
from mtdemo.ui.loading import LOADING, as_failure, as_ready, load_beside, watch_loading

OTHER, TOGETHER = "other", "together"
LOAD = "Load and use this model"
_TOGETHER_EXPECTATION = (
    "Each of the three may be `embedded` or an id of the hub. A sentence is read once by each **different** model: name "
    "one twice, and it costs one pass less. Each answers exactly as it does alone."
)
_OTHER_EXPECTATION = (
    "Before you load it: any encoder of the Hugging Face hub works by its id. A classifier or an entity tagger brings its "
    "head and its labels; any other head is new and **untrained**, so its answers are left out. Its embeddings are made "
    "as its files for sentence-transformers say (pooling, normalisation, prompt); without such files they are the mean of "
    "its last hidden states."
)
_VARIANTS = (
    "The same network and weights, pooled otherwise or read after an earlier layer; normalisation and dense layers of its "
    "makers belong to their own pooling. Classes and entities stay as they are: an earlier layer costs a second pass."
)
_POOLINGS = [
    ("as its makers meant", ""),
    *((POOLING_WORDS[name], name) for name in POOLINGS),
]
_FIRST_SECTIONS = ("## How good it is", "## What it is bad at")
_TOGGLE = "() => document.querySelector('#panel .toggle-button, .sidebar .toggle-button').click()"


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
        status = gr.Markdown(LOADING, elem_classes="note", elem_id="status")
        watching = page.load(
            partial(watch_loading, service), None, status, show_progress="hidden", api_visibility="private"
        )
        if service.settings.hub_models:
            with gr.Accordion("Choose another model", open=False):
                _add_choice(service, model, status, watching)
        quality, making = read_card(Path(service.settings.checkpoint))
        if quality:
            gr.Markdown(f"## About the embedded model\n\n{quality}", elem_classes="card")
        if making:
            with gr.Accordion("How it was made, and from what", open=False):
                gr.Markdown(making, elem_classes="card")
        reading = gr.Markdown(describe_reading(service))
        with gr.Accordion("Change how its embedding is made", open=False, elem_id="variants"):
            _add_variants(service, model, status)
    for describe, shown in ((describe_badge, badge), (describe_reading, reading)):
        status.change(partial(describe, service), model, shown, show_progress="hidden", api_visibility="private")
    badge.click(None, None, None, js=_TOGGLE, api_visibility="private")
    return model, status


def describe_badge(service: ModelService, model: str | None) -> str:
    """Name the model that answers, in a few words."""
    info = service.loaded(model)
    if info and info.sources:
        return f"put together · {_count_passes(info.passes_per_sentence)}"
    place = f" · {info.place}" if info and info.place != "cpu" else ""
    return f"{info.id} · {info.architecture} · {info.n_layers} layers{place}" if info else "No model yet"


def describe_reading(service: ModelService, model: str | None = None) -> str:
    """Describe how much is read, and how embeddings are made."""
    info = service.loaded(model)
    embedding = f" {describe_embedding(info)} It computes on: {info.place}." if info else ""
    return (
        "## How it reads\n\n"
        f"Of each sentence the first {service.settings.max_length} word pieces make embedding and class, or fewer where "
        "the model cannot read so many; entities are read from the whole text through overlapping windows. What was cut "
        f"or is unknown is told beside every answer.{embedding}"
    )


def read_card(directory: Path) -> tuple[str, str]:
    """Read a model card in two parts.

    Returns:
        Its summary, quality and limits; and how it was made, and all else. Both are Markdown without the card's title, with
        headings a level lower, and empty where the directory has no card.
    """
    path = directory / "README.md"
    if not path.is_file():
        return "", ""
    text = path.read_text(encoding="utf-8", errors="replace")
    if text.startswith("---\n"):
        text = text.split("\n---\n", 1)[-1]
    opening, *sections = re.split(r"^(?=## )", text.strip().removeprefix("# The embedded checkpoint"), flags=re.MULTILINE)
    summary, _, details = opening.strip().partition("\n\n")
    first = [section for section in sections if section.startswith(_FIRST_SECTIONS)]
    rest = [section for section in sections if section not in first]
    return _join_sections([summary, *first]), _join_sections([details, *rest])


def _join_sections(parts: Sequence[str]) -> str:
    """Join parts of a card, their headings a level lower."""
    return re.sub(r"^(?=##)", "#", "\n\n".join(part.strip() for part in parts), flags=re.MULTILINE).strip()


def _add_choice(service: ModelService, model: gr.State, status: gr.Markdown, watching: Any) -> None:
    own = service.settings.model
    names = () if own == EMBEDDED else _own_parts(own)
    first = own if own in _known_ids() else TOGETHER if names else OTHER
    choices = list_choices(service)
    choice = gr.Radio(
        choices,
        value=first if first in {name for _, name in choices} else None,
        label="Model",
        info="Your choice is yours alone; other visitors keep theirs.",
    )
    hub_id = gr.Textbox(
        own if first == OTHER else "", label="Model id", placeholder="owner/name", visible=first == OTHER, max_lines=1
    )
    with gr.Group(visible=first == TOGETHER, elem_id="together") as together:
        parts = [
            gr.Textbox(name, label=f"{part.capitalize()} from", placeholder="embedded, or owner/name", max_lines=1)
            for part, name in zip(ANSWER_PARTS, names or [EMBEDDED] * len(ANSWER_PARTS), strict=True)
        ]
    expectation = gr.Markdown(_expectation(service, first))
    load = gr.Button(LOAD)
    choice.change(
        partial(show_expectation, service),
        choice,
        [expectation, hub_id, together],
        show_progress="hidden",
        api_visibility="private",
    )
    load.click(
        partial(use_model, service),
        [choice, hub_id, *parts, model],
        [model, status],
        api_visibility="private",
        concurrency_limit=None,  # how many load at once the store bounds; who chooses one in memory waits for nobody
        cancels=watching,  # whose last word would be of the default model
    )


def _add_variants(service: ModelService, model: gr.State, status: gr.Markdown) -> None:
    gr.Markdown(_VARIANTS)
    pooling = gr.Radio(_POOLINGS, value="", label="Pooling")
    layer = gr.Number(None, label="Read after layer", info="from 1; empty for the last", precision=0, minimum=1)
    use = gr.Button("Use this embedding")
    use.click(
        partial(use_variant, service),
        [pooling, layer, model],
        [model, status],
        api_visibility="private",
        concurrency_limit=None,
    )


def list_choices(service: ModelService) -> list[tuple[str, str]]:
    """List the models that visitors may load, with their titles."""
    allowed = allowed_models(service.settings)
    choices = [(_title(service, known), known.id) for known in KNOWN_MODELS if allowed is None or known.id in allowed]
    if allowed is None:
        return [*choices, ("Another model of the hub", OTHER), ("Three models put together", TOGETHER)]
    others = dict.fromkeys((service.settings.model, *allowed))
    return [*choices, *((name, name) for name in others if name not in _known_ids())]


def show_expectation(service: ModelService, choice: str) -> tuple[str, Any, Any]:
    """Say what to expect of a model.

    It is not loaded yet. The fields for ids are shown where they are needed.
    """
    return _expectation(service, choice), gr.Textbox(visible=choice == OTHER), gr.Group(visible=choice == TOGETHER)


async def use_model(
    service: ModelService, choice: str, hub_id: str, embedding: str, classes: str, entities: str, current: str | None
) -> AsyncIterator[tuple[Any, str]]:
    """Load a model for this visitor.

    If that fails, the one in use stays in use, be it another one by then.
    """
    together = SEPARATOR.join(name.strip() or EMBEDDED for name in (embedding, classes, entities))
    chosen = {OTHER: hub_id.strip(), TOGETHER: together}.get(choice, choice)
    async for answer in _load_for(service, chosen, current):
        yield answer


async def use_variant(
    service: ModelService, pooling: str, layer: float | None, current: str | None
) -> AsyncIterator[tuple[Any, str]]:
    """Give this visitor's model another embedding."""
    embedding, *others = (current or service.settings.model).split(SEPARATOR)
    known = read_variant(embedding)
    chosen = Variant(known.base if known else embedding, pooling or None, int(layer) if layer else None).name
    async for answer in _load_for(service, SEPARATOR.join([chosen, *others]), current):
        yield answer


async def _load_for(service: ModelService, chosen: str, current: str | None) -> AsyncIterator[tuple[Any, str]]:
    """Load a model beside the one in use, and tell."""
    try:
        if not chosen:
            raise CheckpointNotFoundError("No model id was given. Write one as on the hub, such as bert-base-uncased.")
        async for info, line in load_beside(service, chosen):
            yield (chosen if info else gr.skip()), line
    except MtdemoError as error:
        in_use = service.loaded(current)
        stays = f" **The model in use stays in use.** {as_ready(in_use)}" if in_use else ""
        yield gr.skip(), as_failure(f"{as_plain_markdown(str(error))}{stays}")


def _title(service: ModelService, known: KnownModel) -> str:
    other = known.id == EMBEDDED and service.settings.checkpoint_name != EMBEDDED
    return "The checkpoint of this page" if other else known.title


def _expectation(service: ModelService, choice: str) -> str:
    if choice == EMBEDDED and service.settings.checkpoint_name != EMBEDDED:
        return "The checkpoint that this page was started with. Nothing is downloaded."
    if choice == TOGETHER:
        return _TOGETHER_EXPECTATION
    return next((known.expectation for known in KNOWN_MODELS if known.id == choice), _OTHER_EXPECTATION)


def _own_parts(model: str) -> tuple[str, ...]:
    """Name the parts of the page's own model."""
    try:
        return tuple(read_parts(model) or ())
    except CheckpointError:  # which loading it tells
        return ()


def _count_passes(number: int) -> str:
    return "one pass a sentence" if number == 1 else f"{number} passes a sentence"


def _known_ids() -> tuple[str, ...]:
    return tuple(known.id for known in KNOWN_MODELS)
