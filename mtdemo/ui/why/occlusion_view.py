"""The effect of each word on each answer: coloured sentences, and a table of all values."""

from __future__ import annotations

import html

import pandas as pd

from mtdemo.analysis.explanation.occlusion import Occlusion
from mtdemo.analysis.explanation.targets import CLASS, EMBEDDING
from mtdemo.serving.explainer import MAX_WORDS, Explained
from mtdemo.ui.components.messages import warn_untrained
from mtdemo.ui.why.word_marks import describe_check, mark_words


def render_occlusion(explained: Explained[Occlusion]) -> str:
    """Draw each answer with the words that carry it."""
    its = explained.result
    rows = "".join(_row(its, place) for place in range(len(its.targets)))
    return f'{describe_limits(explained)}<ol class="why">{rows}</ol>'


def describe_limits(explained: Explained[object]) -> str:
    """Say what was cut off, and which head is random."""
    told = warn_untrained(explained.model)
    if explained.n_left_out:
        told.append(
            f"The sentence is long: its first words, at most {MAX_WORDS}, are explained as a sentence of their own; "
            f"{explained.n_left_out:,} words were left out."
        )
    return "".join(f'<p class="warning">{html.escape(words)}</p>' for words in told)


def describe_hiding(explained: Explained[Occlusion]) -> str:
    """Say how a word is hidden, as Markdown."""
    how = f"replaced by `{explained.hides_with}`" if explained.hides_with else "removed, as this model has no mask token"
    n_readings = explained.result.n_readings
    return (
        f"Each word is {how} in turn, and the sentence is read again: {n_readings:,} readings, all heads at once. The "
        "number is what the answer becomes more or less by **without** the word. The check hides more and more words, "
        "those with the largest effect first, and compares with 20 random orders "
        "([DeYoung et al. 2020](https://arxiv.org/abs/1911.03429))."
    )


def _row(its: Occlusion, place: int) -> str:
    target = its.targets[place]
    words = range(len(its.words))
    whole = its.targets[place].label
    fates = [its.fate_of(place, word) for word in words]
    told = [fate if fate not in {"kept", whole} else "" for fate in fates]
    changes = [-float(effect) for effect in its.effects[place]]
    text = mark_words(its.analysis.text, its.words, changes, told)
    value = "change of the cosine" if target.kind == EMBEDDING else f"{target.value:.2f}"
    return (
        f"<li><h3><bdi>{html.escape(target.title)}</bdi> <span>{value}</span></h3>"
        f'<p class="text" dir="auto">{text}</p>{describe_check(its.checks[place])}</li>'
    )


def tabulate_occlusion(its: Occlusion) -> pd.DataFrame:
    """Tabulate what each answer becomes without each word.

    The word with the largest effect stands first.
    """
    ranked = its.ranked
    columns: dict[str, list[object]] = {"without": [its.words[word].text for word in ranked]}
    for place, target in enumerate(its.targets):
        changes = [round(-float(its.effects[place, word]), 4) + 0.0 for word in ranked]
        if target.kind == EMBEDDING:
            columns["cosine to the whole"] = [round(1 + change, 4) for change in changes]
            continue
        name = f"change of {target.title}"
        while name in columns:
            name += " (again)"
        columns[name] = list(changes)
        title = CLASS if target.kind == CLASS else f"{name.removeprefix('change of ')}, found"
        columns[title] = [its.fate_of(place, word) for word in ranked]
    columns["new names"] = [its.n_found[word] for word in ranked]
    return pd.DataFrame(columns)
