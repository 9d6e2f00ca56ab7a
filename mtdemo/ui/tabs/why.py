"""The tab for why, and what if: one sentence of the box, looked at closely."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from mtdemo.analysis.explanation.occlusion import Occlusion
from mtdemo.serving.explainer import Explainer
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.messages import shorten
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, SentenceBox, split_lines
from mtdemo.ui.why.occlusion_view import describe_hiding, render_occlusion, tabulate_occlusion
from mtdemo.ui.why.panels import (
    EXPLANATIONS,
    Chosen,
    add_attribution,
    add_shared_words,
    add_variants,
    add_what_if,
    chosen_sentence,
)
from mtdemo.ui.why.piece_view import describe_pieces, render_pieces, tabulate_pieces

TAB = "why"
_N_CONTENTS = 7
_OPEN = "open"
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# What is costly is computed for those who look at it: a reading fills this tab only while it is open.
_IF_OPEN = (
    f"(_, ...others) => [document.querySelector('#tab-{TAB}-button')?.getAttribute('aria-selected') === 'true' "
    f"? '{_OPEN}' : '', ...others]"
)
_NOW = f"(_, ...others) => ['{_OPEN}', ...others]"


def add_why_tab(service: ModelService, tab: gr.Tab, box: SentenceBox, model: gr.State) -> None:
    """Add the tab.

    Args:
        service: answers.
        tab: this tab; opening it fills it.
        box: holds the sentences.
        model: the visitor's choice of model.
    """
    explainer = Explainer(service)
    sentence = gr.Dropdown([], label="Sentence", elem_id="why-sentence", filterable=False)
    chosen = Chosen(sentence, box.asked, model)
    occlusion = _add_occlusion()
    version, changes = add_what_if(explainer, chosen)
    pieces = _add_pieces()
    variants = add_variants(explainer, chosen)
    answer, attribution = add_attribution(explainer, chosen)
    other, pair = add_shared_words(explainer, chosen)
    is_open = gr.Textbox(visible="hidden", label="Whether this tab is open")
    shown = gr.State()
    fill = partial(show, explainer)
    given = [is_open, shown, *chosen.inputs]
    filled = [shown, *occlusion, *pieces, answer]
    more: dict[str, Any] = {"api_visibility": "private", "show_progress_on": occlusion[:1], **EXPLANATIONS}
    offered = box.n_answers.change(offer_sentences, box.asked, [sentence, other, version], **_QUIET)
    offered.then(fill, given, filled, js=_IF_OPEN, **more)
    gr.on([tab.select, sentence.input], fill, given, filled, js=_NOW, **more)
    sentence.input(chosen_sentence, [sentence, box.asked], version, **_QUIET)
    tried = [*changes, *variants, *attribution, *pair]
    empty = partial(_empty, [type(component) is gr.Dataframe for component in tried])
    gr.on([box.n_answers.change, sentence.input], empty, None, tried, **_QUIET)


def _add_occlusion() -> list[Any]:
    gr.HTML('<h2 class="section">What each word does</h2>', apply_default_css=False)
    words = gr.HTML(apply_default_css=False, elem_id="occlusion")
    about = gr.Markdown(elem_classes="introduction")
    with gr.Accordion("Every value, the word with the largest effect first", open=False):
        table = gr.Dataframe(label="Effects of words", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    return [words, about, table]


def _add_pieces() -> list[Any]:
    gr.HTML('<h2 class="section">What the model reads</h2>', apply_default_css=False)
    pieces = gr.HTML(apply_default_css=False, elem_id="pieces")
    about = gr.Markdown(elem_classes="introduction")
    with gr.Accordion("Every piece with the probability of each label", open=False):
        table = gr.Dataframe(label="Word pieces", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    return [pieces, about, table]


def _empty(are_tables: list[bool]) -> list[Any]:
    """Take results away that are of another sentence."""
    return [gr.Dataframe(visible=False) if is_table else "" for is_table in are_tables]


def offer_sentences(text: str) -> tuple[Any, Any, str]:
    """Offer the sentences that were read, and one to edit."""
    sentences = split_lines(text)
    choices = [(f"{number}. {shorten(sentence, 100)}", number - 1) for number, sentence in enumerate(sentences, start=1)]
    other = min(1, len(sentences) - 1)
    return gr.Dropdown(choices, value=0), gr.Dropdown(choices, value=other), chosen_sentence(0, text)


def offer_answers(its: Occlusion) -> Any:
    """Offer the class and the entities of a sentence."""
    return gr.Dropdown([(target.title, place) for place, target in enumerate(its.targets) if place], value=1)


@shows_errors
def show(
    explainer: Explainer, is_open: str, shown: Any, place: int | None, text: str, model: str | None
) -> tuple[Any, ...]:
    """Explain the chosen sentence, unless that is shown already.

    Returns:
        What is shown now; effects of words as HTML, in words and as a table; word pieces as HTML, in words and as a table;
        the answers to choose from.
    """
    sentence = chosen_sentence(place, text)
    if not sentence or is_open != _OPEN or shown == (sentence, model):
        return (gr.skip(),) * (1 + _N_CONTENTS)
    occluded = explainer.occlude(sentence, model)
    viewed = explainer.view_pieces(sentence, model)
    return (
        (sentence, model),
        render_occlusion(occluded),
        describe_hiding(occluded),
        tabulate_occlusion(occluded.result),
        render_pieces(viewed),
        describe_pieces(viewed),
        tabulate_pieces(viewed.result),
        offer_answers(occluded.result),
    )
