"""Gradients of one answer, and the words that two sentences share, as coloured sentences."""

from __future__ import annotations

import html

import pandas as pd

from mtdemo.analysis.explanation.attribution import Attribution
from mtdemo.analysis.explanation.shared_words import SharedWords, Side
from mtdemo.serving.explainer import Explained
from mtdemo.ui.why.occlusion_view import describe_limits
from mtdemo.ui.why.word_marks import describe_check, mark_words

_N_PAIRS = 20


def render_attribution(explained: Explained[Attribution]) -> str:
    """Draw a sentence with the parts of its words."""
    its = explained.result
    text = mark_words(its.analysis.text, its.words, [float(value) for value in its.by_word], supports=1)
    outside = f" {its.n_outside:,} words stand outside of the window that was read for it." if its.n_outside else ""
    return (
        f'{describe_limits(explained)}<ol class="why"><li><h3><bdi>{html.escape(its.target.title)}</bdi> '
        f'<span>{its.target.value:.2f}</span></h3><p class="text" dir="auto">{text}</p>'
        f'<p class="check{"" if its.is_complete else " warning"}">{_describe_sum(its)}{outside}</p>'
        f"{describe_check(its.check)}</li></ol>"
    )


def _describe_sum(its: Attribution) -> str:
    """Show completeness: the parts against the whole."""
    difference = its.log_odds - its.baseline_log_odds
    told = (
        f"The parts sum to {its.total:+.3f}; the log odds differ by {difference:+.3f}, from "
        f"{its.baseline_log_odds:+.3f} for the baseline to {its.log_odds:+.3f}. Gap "
        f"{100 * its.gap:.2f}% with {its.n_steps} steps"
    )
    return f"<b>Complete:</b> {told}." if its.is_complete else f"<b>Not complete:</b> {told}, so the parts are inexact."


def tabulate_attribution(its: Attribution) -> pd.DataFrame:
    """Tabulate the part of each word, the largest first."""
    parts = [float(value) for value in its.by_word]
    ranked = sorted(range(len(parts)), key=lambda place: -abs(parts[place]))
    rows = [(its.words[place].text, round(parts[place], 4)) for place in ranked]
    return pd.DataFrame(rows, columns=["word", "part of the log odds"])


def render_shared_words(explained: Explained[SharedWords]) -> str:
    """Draw two sentences with the words that make them similar."""
    its = explained.result
    rows = "".join(_side(title, side) for title, side in (("first", its.first), ("second", its.second)))
    return (
        f'{describe_limits(explained)}<p class="check">The cosine of the two is <b>{its.cosine:.3f}</b>. The number at '
        f'a word is what the cosine becomes more or less by without it.</p><ol class="why">{rows}</ol>'
    )


def _side(title: str, side: Side) -> str:
    text = mark_words(side.analysis.text, side.words, [-effect for effect in side.effects])
    return f'<li><h3>{title}</h3><p class="text" dir="auto">{text}</p>{describe_check(side.check)}</li>'


def tabulate_pairs(its: SharedWords) -> pd.DataFrame:
    """Tabulate pairs of words that make the cosine together."""
    return pd.DataFrame(
        [
            (its.first.words[one].text, its.second.words[other].text, round(value, 4))
            for one, other, value in its.pairs[:_N_PAIRS]
        ],
        columns=["word of the first", "word of the second", "part of the cosine that needs both"],
    )
