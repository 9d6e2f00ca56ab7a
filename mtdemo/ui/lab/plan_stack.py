"""The network as a stack of its parts, each with a lock: a component whose value names the parts that train."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

import gradio as gr

from mtdemo.models.parts import part_title
from mtdemo.planning.freezing import FreezingPlan, PartPlan
from mtdemo.planning.optimizer import OptimizerSettings, rates_by_part

_LOW, _HIGH = -6.0, -2.0  # powers of ten between which the colour follows the rate

# A lock turns at once; the numbers follow with the answer of the server, which redraws what it changes and nothing else.
# One lock is in the order of Tab, as in a toolbar, and arrow keys walk: a network of 27 parts must not be 27 stops.
_SCRIPT = """
const locks = () => [...element.querySelectorAll(".lock")];
const turn = (row) => {
  const names = new Set(props.value || []);
  const trains = names.has(row.dataset.part);
  trains ? names.delete(row.dataset.part) : names.add(row.dataset.part);
  row.dataset.trains = trains ? "none" : "all";
  row.querySelector(".lock").setAttribute("aria-pressed", String(trains));
  row.querySelector(".lock-word").textContent = trains ? "frozen" : "trains";
  props.value = [...names];
  trigger("input");
};
element.addEventListener("click", (event) => {
  const row = event.target.closest("[data-part]");
  if (row) turn(row);
});
element.addEventListener("keydown", (event) => {
  const all = locks();
  const place = all.indexOf(document.activeElement);
  const next = {
    ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: all.length - 1,
  }[event.key];
  if (place < 0 || next === undefined || !all[next]) return;
  event.preventDefault();
  all[next].focus();
});
element.addEventListener("focusin", (event) => {
  if (event.target.matches(".lock")) locks().forEach((lock) => { lock.tabIndex = lock === event.target ? 0 : -1; });
});
"""
_LOCK = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><path class="shackle" d="M5 7V5a3 3 0 0 1 6 0v2"/>'
    '<rect x="3" y="7" width="10" height="7" rx="1.6"/></svg>'
)


def add_stack() -> gr.HTML:
    """Add the stack, empty until a plan is drawn."""
    return gr.HTML(
        [],
        html_template="${drawing}",
        drawing="",
        js_on_load=_SCRIPT,
        apply_default_css=False,
        elem_id="stack",
        padding=False,
    )


def draw_stack(freezing: FreezingPlan, settings: OptimizerSettings) -> str:
    """Draw the parts as HTML, the highest first.

    A bar is as long as its part has parameters, to one scale, and solid where they train.

    Args:
        freezing: the parts of any backbone, and what of them trains.
        settings: the rates.
    """
    rates = rates_by_part(freezing, settings)
    most = max(part.n_parameters for part in freezing.parts)
    rows = [_row(part, rates[part.name], most, place == 0) for place, part in enumerate(reversed(freezing.parts))]
    return (
        '<div class="stack" role="group" aria-label="The network, its lowest part last; arrow keys walk from lock to lock">'
        f'{"".join(rows)}</div><p class="stack-legend">A click on a part, or Space on its lock, freezes it or lets it '
        f"train. Length of a bar: parameters; colour: learning rate,{''.join(_legend())}.</p>"
    )


def _row(plan: PartPlan, rate: float, most: int, is_first: bool) -> str:
    title = html.escape(part_title(plan.name))
    head = "the " if not plan.name.startswith("layer_") else ""
    is_frozen = not plan.n_trainable
    trained = 100 * plan.n_trainable / plan.n_parameters
    return (
        f'<div class="part" data-part="{html.escape(plan.name)}" data-trains="{plan.state}" '
        f'title="{_in_words(plan, rate)}">'
        f'<span class="part-title">{title}</span>'
        f'<span class="room"><span class="amount" style="width:{100 * plan.n_parameters / most:.2f}%">'
        f'<i style="width:{trained:.2f}%;--shade:{_shade(rate)}%"></i></span></span>'
        f'<span class="count">{_count(plan)}</span><span class="rate">{"–" if is_frozen else f"{rate:.2g}"}</span>'
        f'<button type="button" class="lock" aria-pressed="{str(is_frozen).lower()}" aria-label="Lock {head}{title}" '
        f'tabindex="{0 if is_first else -1}">{_LOCK}<span class="lock-word">{"frozen" if is_frozen else "trains"}</span>'
        "</button></div>"
    )


def _in_words(plan: PartPlan, rate: float) -> str:
    trained = f"{plan.n_trainable:,} of {plan.n_parameters:,} parameters train"
    return html.escape(f"{part_title(plan.name)}: {trained}{f', at most at {rate:.3g}' if plan.n_trainable else ''}")


def _count(plan: PartPlan) -> str:
    if plan.state == "partial":
        return f"<b>{in_short(plan.n_trainable)}</b> of {in_short(plan.n_parameters)}"
    return in_short(plan.n_parameters)


def _shade(rate: float) -> int:
    """Return the share of the accent in a colour.

    1e-6 -> 30, 1e-4 -> 65, 1e-2 -> 100
    """
    if rate <= 0:
        return 30
    return round(30 + 70 * min(1.0, max(0.0, (math.log10(rate) - _LOW) / (_HIGH - _LOW))))


def _legend() -> Iterator[str]:
    for rate in (1e-5, 1e-4, 1e-3):
        yield f' <span><i class="swatch" style="--shade:{_shade(rate)}%"></i>{rate:.0e}</span>'.replace("e-0", "e-")
    yield ' <span><i class="swatch striped"></i>frozen</span>'


def in_short(number: int) -> str:
    """Write a number with three digits: `1_774_464 -> 1.77 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g} {unit}"
    return str(number)
