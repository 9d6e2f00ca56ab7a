"""What a person may try on the chosen sentence: other words, variants, other names, gradients, another sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from mtdemo.analysis.explanation.stability import Stability
from mtdemo.serving.explainer import Explained, Explainer
from mtdemo.ui.components.events import as_table, shows_errors
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, split_lines
from mtdemo.ui.why.attribution_view import (
    render_attribution,
    render_shared_words,
    tabulate_attribution,
    tabulate_pairs,
)
from mtdemo.ui.why.change_view import render_change
from mtdemo.ui.why.variants_view import describe_swaps, describe_variants, tabulate_outcomes, tabulate_tallies

EXPLANATIONS: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "explanations"}  # each is many readings


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sentence that is looked at, as inputs of events.

    Attributes:
        place: position of the chosen sentence in the text.
        asked: the text that was read.
        model: the visitor's choice of model.
    """

    place: gr.Dropdown
    asked: gr.State
    model: gr.State

    @property
    def inputs(self) -> list[Any]:
        """In the order in which callbacks take them."""
        return [self.place, self.asked, self.model]


def chosen_sentence(place: int | None, text: str) -> str:
    """Return the sentence that is chosen, or nothing."""
    sentences = split_lines(text)
    return sentences[place or 0] if (place or 0) < len(sentences) else ""


def add_what_if(explainer: Explainer, chosen: Chosen) -> tuple[gr.Textbox, list[Any]]:
    """Add the box for another version.

    It is returned with what shows results.
    """
    gr.HTML('<h2 class="section">What if it said something else?</h2>', apply_default_css=False)
    with gr.Row(elem_id="what-if", elem_classes="asking"):
        version = gr.Textbox(
            label="Another version: edit, remove or replace a word",
            lines=2,
            scale=5,
            min_width=280,
            elem_id="what-if-version",
        )
        compare = gr.Button("Compare", size="sm", min_width=120, scale=0)
    changes = gr.HTML(apply_default_css=False, elem_id="changes")
    _answer([compare.click, version.submit], partial(compare_with, explainer), [*chosen.inputs, version], [changes])
    return version, [changes]


def add_variants(explainer: Explainer, chosen: Chosen) -> list[Any]:
    """Add buttons that try variants and other names.

    What shows results is returned.
    """
    shown = []
    for title, label, name, try_them in (
        ("Small changes that should not matter", "Try harmless variants", "why-variants", try_variants),
        ("Other names and places", "Try other names", "why-names", try_names),
    ):
        with gr.Accordion(title, open=False, elem_id=name):
            with gr.Row(elem_classes="asking"):
                button = gr.Button(label, size="sm", min_width=180, scale=0)
            told = gr.Markdown(elem_classes="introduction")
            tallies = _table("Counts by kind")
            outcomes = _table("Every variant, those that change most first")
            _answer([button.click], partial(try_them, explainer), chosen.inputs, [told, tallies, outcomes])
            shown += [told, tallies, outcomes]
    return shown


def add_attribution(explainer: Explainer, chosen: Chosen) -> tuple[gr.Dropdown, list[Any]]:
    """Add gradients of an answer.

    The choice is returned with what shows results.
    """
    with gr.Accordion("One answer by gradients", open=False, elem_id="why-gradients"):
        gr.Markdown(
            "Integrated gradients ([Sundararajan et al. 2017](https://arxiv.org/abs/1703.01365)) over the embeddings of "
            "word pieces, from `[PAD]` in place of each to the sentence. The parts are in log odds, whose sigmoid is the "
            "probability, and must sum to what the answer gains over that baseline.",
            elem_classes="introduction",
        )
        with gr.Row(elem_classes="asking"):
            answer = gr.Dropdown([], label="Answer", filterable=False, scale=3, min_width=240)
            button = gr.Button("Attribute", size="sm", min_width=120, scale=0)
        drawn = gr.HTML(apply_default_css=False)
        table = _table("Part of each word")
        _answer([button.click], partial(attribute, explainer), [*chosen.inputs, answer], [drawn, table])
    return answer, [drawn, table]


def add_shared_words(explainer: Explainer, chosen: Chosen) -> tuple[gr.Dropdown, list[Any]]:
    """Add the choice of a second sentence.

    It is returned with what shows results.
    """
    with gr.Accordion("Why are these two similar?", open=False, elem_id="why-pair"):
        with gr.Row(elem_classes="asking"):
            other = gr.Dropdown([], label="The sentence above and", filterable=False, scale=3, min_width=240)
            button = gr.Button("Explain", size="sm", min_width=120, scale=0)
        drawn = gr.HTML(apply_default_css=False)
        table = _table("Pairs of words that make the cosine together")
        _answer([button.click], partial(share_words, explainer), [*chosen.inputs, other], [drawn, table])
    return other, [drawn, table]


def _table(label: str) -> gr.Dataframe:
    return gr.Dataframe(label=label, interactive=False, wrap=True, max_chars=MAX_CHARACTERS, visible=False)


def _answer(triggers: list[Any], callback: Any, inputs: list[Any], outputs: list[Any]) -> None:
    gr.on(triggers, callback, inputs, outputs, api_visibility="private", show_progress_on=outputs[:1], **EXPLANATIONS)


@shows_errors
def compare_with(explainer: Explainer, place: int | None, text: str, model: str | None, version: str) -> str:
    """Compare the chosen sentence with another version of it."""
    return render_change(explainer.what_if(chosen_sentence(place, text), version.strip(), model))


@shows_errors
def try_variants(explainer: Explainer, place: int | None, text: str, model: str | None) -> tuple[Any, ...]:
    """Show what harmless variants change.

    In words, as counts, and all of them.
    """
    return _tabulated(explainer.try_variants(chosen_sentence(place, text), model), describe_variants)


@shows_errors
def try_names(explainer: Explainer, place: int | None, text: str, model: str | None) -> tuple[Any, ...]:
    """Show what other names change.

    In words, as counts, and all of them.
    """
    return _tabulated(explainer.swap_names(chosen_sentence(place, text), model), describe_swaps)


def _tabulated(explained: Explained[Stability], describe: Callable[[Explained[Stability]], str]) -> tuple[Any, ...]:
    """Show variants in words, as counts, and all of them."""
    its = explained.result
    return describe(explained), as_table(tabulate_tallies(its)), as_table(tabulate_outcomes(its))


@shows_errors
def attribute(explainer: Explainer, place: int | None, text: str, model: str | None, answer: int | None) -> tuple[Any, ...]:
    """Show the part of each word in an answer."""
    explained = explainer.attribute(chosen_sentence(place, text), answer or 1, model)
    return render_attribution(explained), as_table(tabulate_attribution(explained.result))


@shows_errors
def share_words(
    explainer: Explainer, place: int | None, text: str, model: str | None, other: int | None
) -> tuple[Any, ...]:
    """Show the words that make two sentences similar."""
    explained = explainer.share_words(chosen_sentence(place, text), chosen_sentence(other, text), model)
    return render_shared_words(explained), as_table(tabulate_pairs(explained.result))
