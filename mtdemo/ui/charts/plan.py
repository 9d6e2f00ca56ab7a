"""A plan's learning rates by part and step, drawn as HTML with its numbers as a table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import groupby

from mtdemo.planning.changes import title_parts
from mtdemo.planning.timeline import turning_steps

Timeline = Mapping[str, tuple[float, ...]]
_HEIGHT = 100  # of a row, in the units of its drawing


def draw_timeline(timeline: Timeline) -> str:
    """Draw the learning rate of each part over the steps.

    Neighbouring parts with the same rates share a row; the highest stands first. Each row has a scale of its own, whose
    height is told beside it. Every rate runs in a line between the steps of the table, so these are all the numbers.

    Args:
        timeline: as `mtdemo.planning.timeline.rate_timeline` gives it.
    """
    n_steps = len(next(iter(timeline.values())))
    turns = turning_steps(dict(timeline))
    rows = [
        (title_parts([name for name, _ in group]), rates)
        for rates, group in groupby(timeline.items(), lambda item: item[1])
    ]
    drawn = "".join(_row(title, rates, turns, n_steps) for title, rates in reversed(rows))
    middle = f"<span>step {(n_steps + 1) // 2:,}</span>" if n_steps > 2 else ""
    axis = f'<div class="axis"><span>step 1</span>{middle}<span>step {n_steps:,}</span></div>'
    words = f"Learning rate of each part over {n_steps:,} steps; the numbers stand in the table below"
    return (
        f'<h3 class="heading">Learning rates over the run</h3><div class="timeline" role="img" aria-label="{words}">{drawn}'
        f"{axis}</div><details><summary>The same in numbers</summary>{_table(rows, turns)}</details>"
    )


def _row(title: str, rates: Sequence[float], turns: Sequence[int], n_steps: int) -> str:
    top = max(rates)
    label = f'<span class="part-title">{html.escape(title)}</span>'
    if not top:
        return f'<div class="course">{label}<span class="course-room striped"></span><span class="rate">0</span></div>'
    points = [(_place(step, n_steps), _HEIGHT * (1 - rates[step] / top)) for step in turns if rates[step]]
    corners = [(points[0][0], _HEIGHT), *points, (points[-1][0], _HEIGHT)]
    drawn = " ".join(f"{x:.4g},{y:.4g}" for x, y in corners)
    begins = next(step for step, rate in enumerate(rates) if rate)
    told = f"{top:.2g} from step {begins + 1:,}" if begins else f"{top:.2g}"
    svg = (
        f'<svg viewBox="0 0 1000 {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><polygon points="{drawn}"/></svg>'
    )
    return f'<div class="course">{label}<span class="course-room">{svg}</span><span class="rate">{told}</span></div>'


def _place(step: int, n_steps: int) -> float:
    """Return where a step stands, 0 to 1000."""
    return 1000 * step / (n_steps - 1) if n_steps > 1 else 500.0


def _table(rows: Sequence[tuple[str, Sequence[float]]], turns: Sequence[int]) -> str:
    heads = "".join(f'<th scope="col">{step + 1:,}</th>' for step in turns)
    lines = "".join(
        f'<tr><th scope="row">{html.escape(title)}</th>{"".join(f"<td>{rates[step]:.3g}</td>" for step in turns)}</tr>'
        for title, rates in rows
    )
    return (
        "<p>Between two of these steps a rate runs in a line; 0 is frozen.</p>"
        '<div class="scrolls" tabindex="0" role="region" aria-label="Learning rates by step, a table that scrolls">'
        f'<table class="numbers"><thead><tr><th scope="col">part, at step</th>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
