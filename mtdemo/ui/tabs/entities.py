"""The tab for named entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import gradio as gr
import pandas as pd

from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.messages import describe_answer, shows_errors
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, REFERENCE_EXAMPLES, Example, add_sentences, ask

Highlights = list[tuple[str, str | None]]

COLORS = {"PER": "teal", "ORG": "orange", "LOC": "blue", "MISC": "purple"}
LEGEND = "PER: a person · ORG: an organisation · LOC: a place · MISC: another name, such as a product, an event or a work"
MAX_HIGHLIGHTED = 100  # sentences; a browser takes seconds to lay out thousands of spans

EXAMPLES = (
    Example("Two people and a company", REFERENCE_EXAMPLES[4:]),
    Example(
        "Politics",
        ("Angela Merkel met Emmanuel Macron in Paris before flying to New York for the United Nations summit.",),
    ),
    Example("Music", ("The Beatles recorded in London, and Paul McCartney moved to Scotland.",)),
    Example("No name at all", ("Nothing in this sentence has a name.",)),
    Example(
        "Seven at once",
        (*REFERENCE_EXAMPLES, "Real Madrid beat Juventus in Cardiff.", "Toyota opened a plant in Poland."),
    ),
)


def add_entities_tab(service: ModelService, page: gr.Blocks, model: gr.State) -> None:
    """Add the tab; `model` holds the visitor's choice of model."""
    gr.Markdown(
        "A second head labels every word piece of the same pass; neighbouring words with one label make a **span**. Long "
        f"texts are read whole, through overlapping windows. {LEGEND}."
    )
    box = add_sentences("Sentences to search", "Find entities", EXAMPLES)
    note = gr.Markdown(elem_classes="note")
    spans = gr.HighlightedText(label="Entities", color_map=COLORS, show_legend=True)
    table = gr.Dataframe(label="All spans", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    box.answer_with(
        page,
        model,
        "entities_tab",
        "What the entities tab shows: a note, highlighted text, a table of spans.",
        partial(show_entities, service),
        *(note, spans, table),
    )


@shows_errors
def show_entities(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Highlights, pd.DataFrame]:
    """Sentences to a note, highlighted text and a table of spans."""
    analysis = ask(service, service.analyze, text, model, progress)
    return _note(analysis), highlight(analysis.sentences[:MAX_HIGHLIGHTED]), tabulate_entities(analysis)


def highlight(sentences: Sequence[SentenceAnalysis]) -> Highlights:
    """Cut sentences at their spans: (text, label) for each piece, None for what has no label; joined, it is the input."""
    return [piece for number, sentence in enumerate(sentences) for piece in _pieces(sentence, number)]


def tabulate_entities(analysis: Analysis) -> pd.DataFrame:
    """One row per span: what it is, how sure, and where it stands; `start` and `end` count characters, end exclusive."""
    return pd.DataFrame(
        [
            (number, entity.text, entity.label, round(entity.score, 4), entity.start, entity.end)
            for number, sentence in enumerate(analysis, start=1)
            for entity in sentence.entities
        ],
        columns=["sentence", "text", "label", "score", "start", "end"],
    )


def _pieces(sentence: SentenceAnalysis, number: int) -> Iterator[tuple[str, str | None]]:
    if number:
        yield "\n", None
    position = 0
    for entity in sentence.entities:
        if position < entity.start:
            yield sentence.text[position : entity.start], None
        yield entity.text, entity.label
        position = entity.end
    if position < len(sentence.text):
        yield sentence.text[position:], None


def _note(analysis: Analysis) -> str:
    n_entities = sum(len(sentence.entities) for sentence in analysis)
    found = (
        f"**{n_entities} {'entity' if n_entities == 1 else 'entities'} found.**" if n_entities else "**No entity found.**"
    )
    if len(analysis) > MAX_HIGHLIGHTED:
        found += f" The first {MAX_HIGHLIGHTED} of {len(analysis):,} sentences are highlighted; the table has all."
    score = " The score is the mean probability of the label over the span's words." if n_entities else ""
    return f"{found}{score}\n\n{describe_answer(analysis, 'ner_head')}"
