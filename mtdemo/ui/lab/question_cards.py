"""Experiments as cards of HTML: the question, its arms, one bar of progress, the verdict and what changed."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from mtdemo.laboratory.inquiry import Inquiry
from mtdemo.laboratory.outcome import Snapshot
from mtdemo.laboratory.questions import Arm, Question
from mtdemo.laboratory.run_queue import Waiting
from mtdemo.laboratory.verdict import ArmResult, Difference, Verdict
from mtdemo.ui.lab.run_details import fold, list_changes


def render_question(question: Question, n_learned: int, n_heldout: int) -> str:
    """Show a question that was not asked yet.

    Args:
        question: to show.
        n_learned: sentences that its arms learn from.
        n_heldout: sentences that they are measured on.
    """
    cost = (
        f"{len(question.arms)} runs of {question.n_steps} steps on {n_learned} sentences, measured on {n_heldout} others; "
        f"at most about {question.seconds} s where nobody else trains."
    )
    return _card(question, f'<p class="cost">{cost}</p>{_arms(question.arms, None)}')


def render_inquiry(question: Question, inquiry: Inquiry, colors: Mapping[str, str]) -> str:
    """Show a question as far as it is answered.

    Args:
        question: that was asked.
        inquiry: as it stands.
        colors: hue of each entity type.
    """
    parts = [_progress(inquiry) if not inquiry.has_ended else "", _arms(inquiry.arms, inquiry)]
    if inquiry.was_stopped:
        kept = "stand among the runs below" if inquiry.run_numbers else "there are none yet"
        parts.append(
            f'<p class="verdict"><b>Stopped, so there is no verdict.</b> Runs that took all their steps: {kept}.</p>'
        )
    if inquiry.verdict is not None:
        shown = inquiry.finished[min(question.shown, len(inquiry.finished) - 1)]
        parts += [_verdict(inquiry.verdict), _differences(inquiry.verdict), _changes(shown, colors)]
        parts.append(f'<p class="cost">{inquiry.seconds:.0f} s; {_numbers(inquiry.run_numbers)}</p>')
    return _card(question, "".join(parts))


def render_failure(question: Question, message: str) -> str:
    """Show a question that could not be asked, and why."""
    return _card(question, f'<p class="warning" role="alert">{html.escape(message)}</p>')


def _card(question: Question, content: str) -> str:
    return f"<h3>{html.escape(question.title)}</h3><p>{html.escape(question.about)}</p>{content}"


def _progress(inquiry: Inquiry) -> str:
    number = min(len(inquiry.finished) + 1, len(inquiry.arms))
    where = f"Run {number} of {len(inquiry.arms)}"
    if isinstance(inquiry.state, Waiting):
        where += f": waiting for a place, {inquiry.state.place} in line"
    elif isinstance(inquiry.state, Snapshot):
        where += f": step {inquiry.state.n_done} of {inquiry.state.n_steps}"
    share = inquiry.share_done
    return (
        '<div class="bar-of-steps" role="progressbar" aria-label="Steps of all runs" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<i style="width:{100 * share:.1f}%"></i></div><p class="cost">{where}.</p>'
    )


def _arms(arms: Sequence[Arm], inquiry: Inquiry | None) -> str:
    items = "".join(
        f"<li><span>{html.escape(arm.title)}</span><span>{_state(n, inquiry)}</span></li>" for n, arm in enumerate(arms)
    )
    return f'<ol class="arms">{items}</ol>'


def _state(number: int, inquiry: Inquiry | None) -> str:
    """Say where an arm is: its scores, or its state."""
    if inquiry is None:
        return ""
    if number < len(inquiry.finished):
        outcome = inquiry.finished[number].outcome
        return "; ".join(
            f'<span class="pair">{name} {drift.score_before:.3f} → <b>{drift.score_after:.3f}</b></span>'
            for name, drift in (("entities", outcome.entities), ("classes", outcome.classes))
        )
    return (
        "running" if number == len(inquiry.finished) and not inquiry.has_ended else "not run" if inquiry.has_ended else ""
    )


def _verdict(verdict: Verdict) -> str:
    points = "".join(f"<li>{html.escape(point)}</li>" for point in verdict.points)
    return f'<div class="verdict" role="status"><b>{html.escape(verdict.headline)}</b><ul>{points}</ul></div>'


def _differences(verdict: Verdict) -> str:
    """Draw all intervals on one axis, 0 in the middle."""
    most = max((abs(end) for _, d in verdict.differences for end in (d.lower, d.upper, d.value)), default=0.0) or 0.01
    rows = "".join(f"<li>{''.join(_strip(name, difference, most))}</li>" for name, difference in verdict.differences)
    return f'<ul class="differences">{rows}</ul>'


def _strip(name: str, difference: Difference, most: float) -> Iterator[str]:
    def place(value: float) -> float:
        return 50 + 48 * value / most

    left, right = place(difference.lower), place(difference.upper)
    yield f"<span>{html.escape(name)}</span>"
    yield (
        f'<span class="strip {difference.direction}" role="img" aria-label="{html.escape(difference.phrase)}">'
        f'<i style="left:{left:.1f}%;width:{max(0.6, right - left):.1f}%"></i>'
        f'<u style="left:{place(difference.value):.1f}%"></u></span>'
    )
    yield f"<span>{html.escape(difference.phrase)}</span>"


def _changes(shown: ArmResult, colors: Mapping[str, str]) -> str:
    changes = shown.outcome.changes
    n_sentences = max(shown.outcome.entities.n_sentences, shown.outcome.classes.n_sentences)
    summary = f"{len(changes)} of {n_sentences} sentences changed: <i>{html.escape(shown.title)}</i>"
    return fold(summary, list_changes(changes, colors))


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers))
    return f"{'run' if len(numbers) == 1 else 'runs'} {shown} among your runs below."
