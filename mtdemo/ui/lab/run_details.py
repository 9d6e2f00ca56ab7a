"""One run in detail as HTML: what was frozen, which sentences and hidden states changed, and the numbers of its figures.

Sentences are escaped here and stand in the page as text.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mtdemo.laboratory.outcome import AnswerChange, LayerDrift, Outcome, Snapshot
from mtdemo.laboratory.receipt import FreezeReceipt
from mtdemo.laboratory.verdict import MIN_TO_CONCLUDE
from mtdemo.models.parts import LEARNED_TASKS, part_title
from mtdemo.results import Entity

MAX_CHANGES = 50  # listed of a run; the file of the run has all
_LEARNED_TITLES = tuple(task.title for task in LEARNED_TASKS)


def describe_details(outcome: Outcome, colors: Mapping[str, str]) -> str:
    """Lay out receipt, changed sentences, layers and scores.

    Args:
        outcome: of the run.
        colors: hue of each entity type.
    """
    return "".join(
        (
            _caution(outcome),
            _receipt(outcome.receipt, outcome.movement),
            fold(_count_changes(outcome), list_changes(outcome.changes, colors)),
            _layers(outcome.layers),
            _history(outcome.snapshots),
        )
    )


def list_changes(changes: Sequence[AnswerChange], colors: Mapping[str, str]) -> str:
    """List sentences with another answer, before and after."""
    if not changes:
        return "<p>None.</p>"
    rows = [(html.escape(change.text), _before(change, colors), _after(change, colors)) for change in changes[:MAX_CHANGES]]
    rest = len(changes) - MAX_CHANGES
    more = f"<p>{rest:,} more stand in the run's file.</p>" if rest > 0 else ""
    return tabulate(("sentence", "before", "after"), rows, "Sentences that changed") + more


def fold(summary: str, content: str, is_open: bool = False) -> str:
    """Fold HTML away under a line that opens it."""
    return f'<details class="fold"{" open" if is_open else ""}><summary>{summary}</summary>{content}</details>'


def tabulate(columns: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> str:
    """Make a table that scrolls in its own frame.

    Args:
        columns: their heads.
        rows: of HTML, cells of a row each.
        name: of the table, for who cannot see it.
    """
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="frame" tabindex="0" role="region" aria-label="{name}"><table class="numbers"><thead><tr>{heads}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def caution_few(n_entities: int, n_classes: int) -> str:
    """Say where held-out sentences are too few to conclude.

    Empty where there are enough.
    """
    counts = {"entities": n_entities, "classes": n_classes}
    few = [f"{counts[task]} for {task}" for task in _LEARNED_TITLES if counts[task] < MIN_TO_CONCLUDE]
    if not few:
        return ""
    return (
        f'<p class="warning">Measured on {" and ".join(few)}: fewer than {MIN_TO_CONCLUDE} sentences are too few to '
        "conclude anything from a score.</p>"
    )


def _caution(outcome: Outcome) -> str:
    return caution_few(outcome.entities.n_sentences, outcome.classes.n_sentences)


def _receipt(receipt: FreezeReceipt | None, movement: Mapping[str, float]) -> str:
    if receipt is None:
        return ""
    rows = [
        (
            part_title(part.name),
            f"{part.n_parameters:,}",
            f"{part.n_asked:,}",
            f"{part.n_frozen:,}",
            _number(part.largest_change),
            _number(part.largest_frozen_change) if part.n_asked else "–",
            f"{movement[part.name]:.3%}" if movement.get(part.name) else ("0" if part.name in movement else "new"),
        )
        for part in receipt.parts
    ]
    columns = ("part", "parameters", "asked frozen", "frozen", "largest change in step 1", "of frozen ones", "moved in all")
    summary = (
        f"<b>Freeze receipt:</b> {receipt.n_frozen:,} of {receipt.n_asked:,} parameters were frozen as asked, and none of "
        "them moved in the first step"
        if receipt.n_asked
        else "<b>Freeze receipt:</b> nothing was to be frozen, and nothing was"
    )
    return fold(summary, tabulate(columns, rows, "Freeze receipt"))


def _number(change: float) -> str:
    return "0 exactly" if change == 0.0 else f"{change:.1e}"


def _count_changes(outcome: Outcome) -> str:
    n_flipped = sum(change.flips_class for change in outcome.changes)
    n_lost, n_found = (sum(len(entities) for entities in each) for each in _entities(outcome.changes))
    return (
        f"<b>Sentences that changed:</b> {len(outcome.changes)}; {n_flipped} classes flipped, {n_lost} entities lost, "
        f"{n_found} new"
    )


def _entities(changes: Sequence[AnswerChange]) -> Iterator[list[tuple[Entity, ...]]]:
    yield [change.lost for change in changes]
    yield [change.found for change in changes]


def _before(change: AnswerChange, colors: Mapping[str, str]) -> str:
    gold = f" <small>(people: {html.escape(change.label)})</small>" if change.flips_class else ""
    label = f"{html.escape(change.class_before)}{gold}" if change.flips_class else ""
    return _join(label, _chips(change.lost, colors), "no such entity" if change.found else "")


def _after(change: AnswerChange, colors: Mapping[str, str]) -> str:
    label = html.escape(change.class_after) if change.flips_class else ""
    return _join(label, _chips(change.found, colors), "no such entity" if change.lost else "")


def _join(label: str, chips: str, nothing: str) -> str:
    return "<br>".join(filter(None, (label, chips or nothing)))


def _chips(entities: Sequence[Entity], colors: Mapping[str, str]) -> str:
    return " ".join(
        f'<mark class="entity hue-{colors.get(entity.label, "slate")}">{html.escape(entity.text)}'
        f"<small> {html.escape(entity.label)}</small></mark>"
        for entity in entities
    )


def _layers(layers: Sequence[LayerDrift]) -> str:
    rows = [
        (
            part_title(layer.name),
            "1, bit for bit" if layer.is_identical else f"{layer.cka:.4f}",
            "1, bit for bit" if layer.is_identical else f"{layer.cosine:.4f}",
        )
        for layer in layers
    ]
    n_same = sum(layer.is_identical for layer in layers)
    told = f"{n_same} of {len(layers)} levels are the same, bit for bit" if n_same else "every level changed"
    about = (
        '<p class="explained">Of the word pieces of the sentences kept aside, after each level. Cosine: of the two '
        "vectors of each piece, on average. CKA (Kornblith et al. 2019): how alike the two spaces are, whichever way they "
        "are turned; 1 is alike. A low cosine beside a high CKA is a space that was turned.</p>"
    )
    table = tabulate(("output of", "CKA", "cosine"), rows, "Hidden states before and after")
    return fold(f"<b>Hidden states before and after:</b> {told}", table + about)


def _history(snapshots: Sequence[Snapshot]) -> str:
    rows = []
    for snapshot in snapshots:
        losses = snapshot.losses
        row = (snapshot.scores.entity_f1, snapshot.scores.macro_f1)
        numbers = (losses.entities if losses else None, losses.classes if losses else None, *row)
        rows.append((str(snapshot.n_done), *("–" if number is None else f"{number:.3f}" for number in numbers)))
    columns = ("step", "loss, entities", "loss, classes", "entities, F1", "classes, macro-F1")
    return fold("<b>Losses and scores by step</b>, where they were measured", tabulate(columns, rows, "Losses and scores"))
