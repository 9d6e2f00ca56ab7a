"""Variants of a sentence: how many of them change an answer, in words and as tables."""

from __future__ import annotations

import pandas as pd

from mtdemo.analysis.explanation.stability import Outcome, Stability, Tally
from mtdemo.serving.explainer import MAX_WORDS, Explained
from mtdemo.ui.components.messages import as_plain_markdown, warn_untrained


def describe_variants(explained: Explained[Stability]) -> str:
    """Count what harmless variants and a negation change, as Markdown."""
    its = explained.result
    told = _describe(its.total, "harmless variants")
    if its.opposite:
        change = its.opposite.change
        turned = "turns" if change.changes_class else "**stays**"
        told += (
            f" The negation (*{as_plain_markdown(its.opposite.variant.text)}*) should change the answer: the class "
            f"{turned} {as_plain_markdown(change.after.label)}, cosine {change.cosine:.3f}."
        )
    return told + _limits(explained)


def describe_swaps(explained: Explained[Stability]) -> str:
    """Count what other names and places change, as Markdown."""
    its = explained.result
    if not its.outcomes:
        return (
            "The model finds neither a person nor a place in this sentence, so there is nothing to swap. Write a name into "
            "it above." + _limits(explained)
        )
    means = [tally.mean_probability for tally in its.tallies]
    spread = max(means) - min(means)
    return (
        _describe(its.total, "other names and places")
        + f" The mean probability of *{as_plain_markdown(its.analysis.label)}* differs by at most {spread:.3f} between "
        "groups. The list is short: it can show a bias, and never that there is none. Pronouns stay as they are."
        + _limits(explained)
    )


def _describe(total: Tally, what: str) -> str:
    return (
        f"**{total.n_variants} {what}**: the class changes in **{total.n_classes}**, an entity in **{total.n_entities}**; "
        f"the cosine to the sentence itself is {total.mean_cosine:.3f} on average, {total.lowest_cosine:.3f} at the lowest."
    )


def _limits(explained: Explained[Stability]) -> str:
    told = [*warn_untrained(explained.model)]
    if explained.n_left_out:
        told.append(f"Only its first words, at most {MAX_WORDS}, were read; {explained.n_left_out:,} were left out.")
    return "".join(f"\n\n**Note:** {as_plain_markdown(words)}" for words in told)


def tabulate_tallies(its: Stability) -> pd.DataFrame:
    """Tabulate counts by kind of variant or group."""
    label = its.analysis.label
    return pd.DataFrame(
        [
            (
                tally.kind,
                tally.n_variants,
                tally.n_classes,
                tally.n_entities,
                round(tally.mean_probability, 4),
                round(tally.mean_cosine, 4),
                round(tally.lowest_cosine, 4),
            )
            for tally in its.tallies
        ],
        columns=[
            "kind",
            "tried",
            "class changed",
            "entity changed",
            f"mean P({label})",
            "mean cosine",
            "lowest",
        ],
    )


def tabulate_outcomes(its: Stability) -> pd.DataFrame:
    """Tabulate every variant, those that change most first."""
    outcomes = [*([its.opposite] if its.opposite else []), *its.ranked]
    return pd.DataFrame(
        [_row(outcome) for outcome in outcomes],
        columns=["kind", "change", "class", f"P({its.analysis.label})", "cosine", "entities", "sentence"],
    )


def _row(outcome: Outcome) -> tuple[object, ...]:
    change = outcome.change
    label = f"{change.before.label} → {change.after.label}" if change.changes_class else change.after.label
    entities = ", ".join(f"{entity.text} {entity.label}" for entity in change.after.entities)
    return (
        outcome.variant.kind,
        outcome.variant.note,
        label,
        round(change.after.probabilities[change.before.label], 4),
        round(change.cosine, 4),
        f"changed: {entities or 'none'}" if change.changes_entities else entities,
        outcome.variant.text,
    )
