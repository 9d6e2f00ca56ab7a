"""All answers about each sentence as HTML: cards for a few, a table in pages for many.

What a person wrote is escaped here, and stands in the page as text. It must never be put into a template of `gr.HTML`,
which would run a `${...}` in it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from mtdemo.analysis.similarity import Similarity
from mtdemo.analysis.vectors.background import Background
from mtdemo.results import Analysis, ModelInfo, SentenceAnalysis
from mtdemo.ui.components.labels import COLORS, color_classes, color_types
from mtdemo.ui.components.messages import (
    describe_sources,
    is_in_fragments,
    pieces_per_word,
    shorten,
    warn_untrained,
)

MAX_CARDS = 50
ROWS_PER_PAGE = 50
MAX_SENTENCES = 1_000  # on the page; more make it slow to lay out
NEAR = 0.3  # below this cosine no sentence is called near, where the model's scale is not known
_NEAR_PERCENT = 99  # and where it is, below so many percent of random pairs
THRESHOLD = 0.5  # from this probability on a sentence has one of several classes, as their losses are trained
_N_NAMED = 3
_N_OTHERS = 6  # classes beside the first that are listed
_COLUMNS = ("", "sentence and its names", "class", "nearest", "pieces")


def render_answers(similarity: Similarity, background: Background | None = None, most: int | None = None) -> str:
    """Show each sentence with its names, class and neighbour.

    A neighbour's cosine is put beside those of random pairs, where the background is given.

    Args:
        similarity: the answers.
        background: the scale of cosines.
        most: how many sentences at most, the pages of which a browser turns; all by default, without a script.
    """
    analysis = similarity.analysis
    sources = describe_sources(analysis.model)
    warnings = f'<p class="sources">{html.escape(sources)}</p>' * bool(sources) + "".join(
        f'<p class="warning">{html.escape(words)}</p>' for words in warn_untrained(analysis.model)
    )
    neighbours = similarity.neighbours
    if len(analysis) > MAX_CARDS:
        return warnings + _table(analysis, neighbours, background, most)
    items = (
        _card(analysis, number, sentence, _nearest(analysis, neighbour, background))
        for number, (sentence, neighbour) in enumerate(zip(analysis, neighbours, strict=True), start=1)
    )
    return f'{warnings}<ol class="answers">{"".join(items)}</ol>'


def mark_entities(sentence: SentenceAnalysis, colors: Mapping[str, str]) -> str:
    """Write a sentence with its names, labels and scores marked."""
    parts, position = [], 0
    for entity in sentence.entities:
        parts.append(html.escape(sentence.text[position : entity.start]))
        parts.append(
            f'<mark class="entity hue-{colors[entity.label]}">{html.escape(entity.text)}'
            f"<small> {html.escape(entity.label)} {entity.score:.2f}</small></mark>"
        )
        position = entity.end
    return "".join(parts) + html.escape(sentence.text[position:])


def render_classes(analysis: Analysis) -> str:
    """Draw the class of each sentence beside its text."""
    items = "".join(
        f'<li class="answer"><span class="number">{number}</span>'
        f'<p class="text" dir="auto">{html.escape(sentence.text)}</p>'
        f'<div class="told">{_class(sentence, analysis.model)}</div></li>'
        for number, sentence in enumerate(analysis.sentences[:MAX_CARDS], start=1)
    )
    return f'<ol class="answers">{items}</ol>'


def draw_class(sentence: SentenceAnalysis, info: ModelInfo) -> str:
    """Draw the likeliest class; the others show on focus."""
    colors = color_classes(info)
    ranked = sorted(sentence.probabilities.items(), key=lambda item: -item[1])
    label, probability = ranked[0]
    others = ranked[1 : 1 + _N_OTHERS]
    left_out = len(ranked) - 1 - len(others)
    words = f"{label} {probability:.2f}" + "".join(f", {name} {value:.2f}" for name, value in others)
    lines = "".join(f"<span>{html.escape(name)}</span><b>{value:.2f}</b>" for name, value in others)
    more = f"<span>and {left_out:,} others</span><b></b>" if left_out else ""
    alone = info.multi_label or len(ranked) > len(COLORS)  # they do not sum to 1, or would be slivers
    segments = "".join(
        f'<i class="hue-{colors[name]}" style="width:{100 * value:.1f}%"></i>'
        for name, value in sentence.probabilities.items()
        if (name == label if alone else value >= 0.005)
    )
    hue = "slate" if info.multi_label and probability < THRESHOLD else colors[label]
    return (
        f'<div class="class" tabindex="0" role="img" aria-label="Class: {html.escape(words)}">'
        f'<b class="hue-{hue}">{_headline(ranked, info)}</b><span class="bar">{segments}</span>'
        f'<span class="others">{lines}{more}</span></div>'
    )


def _headline(ranked: Sequence[tuple[str, float]], info: ModelInfo) -> str:
    """Name the likeliest class, or all that a sentence has.

    Of several classes a sentence has those from `THRESHOLD` on, maybe none.
    """
    reached = [item for item in ranked if item[1] >= THRESHOLD] if info.multi_label else ranked[:1]
    shown = ", ".join(f"{html.escape(name)} {value:.2f}" for name, value in reached[:_N_NAMED])
    more = f" and {len(reached) - _N_NAMED} more" if len(reached) > _N_NAMED else ""
    name, value = ranked[0]
    return f"{shown}{more}" if reached else f"none; best {html.escape(name)} {value:.2f}"


def count_pieces(sentence: SentenceAnalysis) -> str:
    """Count pieces read, cut and unknown, in words."""
    words = [f"{sentence.n_tokens - sentence.n_truncated:,} pieces read"]
    words += [f"{sentence.n_truncated:,} cut"] if sentence.n_truncated else []
    words += [f"{sentence.n_unknown:,} unknown"] if sentence.n_unknown else []
    return ", ".join(words)


def _card(analysis: Analysis, number: int, sentence: SentenceAnalysis, nearest: str) -> str:
    text = _mark(sentence, analysis.model)
    remark = _remark(sentence)
    return (
        f'<li class="answer{" unreadable" if sentence.is_hardly_readable else ""}"><span class="number">{number}</span>'
        f'<div><p class="text" dir="auto">{text}</p>{remark}<p class="pieces">{count_pieces(sentence)}</p></div>'
        f'<div class="told">{_class(sentence, analysis.model)}'
        f'<p class="nearest">{nearest}</p></div></li>'
    )


def _mark(sentence: SentenceAnalysis, info: ModelInfo) -> str:
    """Mark names, but not those that an untrained head guesses."""
    return mark_entities(sentence, color_types(info)) if info.finds_entities else html.escape(sentence.text)


def _remark(sentence: SentenceAnalysis) -> str:
    if sentence.is_hardly_readable:
        words = (
            f"{sentence.n_unknown:,} of its pieces are unknown to this model, a third or more: an answer about it would "
        )
        words += "mean nothing."
    elif is_in_fragments(sentence):
        words = f"{pieces_per_word(sentence):.1f} pieces per word: the model knows few of these words whole. Is it another "
        words += "language?"
    else:
        return ""
    return f'<p class="warning">{words}</p>'


def _class(sentence: SentenceAnalysis, info: ModelInfo) -> str:
    if not info.classifies:
        return '<span class="none">no class: untrained</span>'
    if sentence.reading_of("classes").is_hardly_readable:
        return '<span class="none">no class</span>'
    return draw_class(sentence, info)


def _nearest(analysis: Analysis, neighbour: tuple[int, float] | None, background: Background | None) -> str:
    if neighbour is None:
        return "nothing to compare with"
    position, cosine = neighbour
    scale = f' <span class="scale">{background.phrase(cosine)}</span>' if background else ""
    is_near = background.percentile(cosine) >= _NEAR_PERCENT if background else cosine >= NEAR
    if not is_near:
        return f"none is near; the best is <b>{position + 1}</b>, {cosine:.2f}{scale}"
    text = html.escape(shorten(analysis.sentences[position].text, 24))
    return f'nearest <b>{position + 1}</b> <q dir="auto">{text}</q> {cosine:.2f}{scale}'


def _table(
    analysis: Analysis, neighbours: Sequence[tuple[int, float] | None], background: Background | None, most: int | None
) -> str:
    """Lay the first answers out as a table in pages.

    A browser that turns pages is given those behind the first as templates, which are no part of the document yet.
    """
    n = min(most or len(analysis), len(analysis))
    opened, closed = ("<template>", "</template>") if most else ("", "")

    def rows(first: int, last: int) -> Iterator[str]:
        for position in range(first, last):
            sentence = analysis.sentences[position]
            cells = (
                str(position + 1),
                f'<span dir="auto">{_mark(sentence, analysis.model)}</span>{_remark(sentence)}',
                _class(sentence, analysis.model),
                _nearest(analysis, neighbours[position], background),
                count_pieces(sentence),
            )
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"

    starts = range(0, n, ROWS_PER_PAGE)
    pages = ["".join(rows(first, min(first + ROWS_PER_PAGE, n))) for first in starts]
    bodies = f"<tbody>{pages[0]}</tbody>" + "".join(f"<tbody hidden>{opened}{page}{closed}</tbody>" for page in pages[1:])
    buttons = "".join(
        f'<button type="button" data-page="{page}" aria-pressed="{"false" if page else "true"}">'
        f"{first + 1:,}–{min(first + ROWS_PER_PAGE, n):,}</button>"
        for page, first in enumerate(starts)
    )
    heads = "".join(f'<th scope="col">{name or "<span class=hidden-text>number</span>"}</th>' for name in _COLUMNS)
    left_out = f"The first {n:,} of {len(analysis):,} sentences stand here; the files below have all."
    told = f'<p class="waiting">{left_out}</p>' if n < len(analysis) else ""
    return (
        f'{told}<nav class="pages" aria-label="Pages of sentences">{buttons}</nav>'
        f'<table class="answers"><thead><tr>{heads}</tr></thead>{bodies}</table>'
    )


TURN_PAGES = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-page]");
  if (!button) return;
  element.querySelectorAll("[data-page]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
  element.querySelectorAll("tbody").forEach((body, page) => {
    body.hidden = String(page) !== button.dataset.page;
    const kept = body.hidden ? null : body.querySelector("template");
    if (kept) kept.replaceWith(kept.content);
  });
});
"""
