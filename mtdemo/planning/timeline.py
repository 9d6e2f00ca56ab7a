"""Learning rates of each part by step: the schedule and unfreezing together, as a run really sets them."""

from __future__ import annotations

from mtdemo.errors import PlanError
from mtdemo.planning.freezing import FreezingPlan
from mtdemo.planning.optimizer import rates_by_part
from mtdemo.planning.training_plan import TrainingPlan

MAX_PLANNED_STEPS = 10_000


def rate_timeline(plan: TrainingPlan, freezing: FreezingPlan, n_steps: int) -> dict[str, tuple[float, ...]]:
    """Return the learning rate of each part in each step.

    It is 0 while the part is frozen. Two layers that unfreeze gradually over four steps, at 1e-4 and without warm-up:

        layer_0 -> 0, 0, 6.7e-5, 3.3e-5;  layer_1 -> 1e-4, 1e-4, 6.7e-5, 3.3e-5

    Args:
        plan: the rates, their schedule and whether unfreezing is gradual.
        freezing: the same plan over a model's parts.
        n_steps: of the run, 1 to `MAX_PLANNED_STEPS`.

    Returns:
        By name of the part, lowest first, `n_steps` rates from 0 to 1.

    Raises:
        PlanError: a number of steps out of its range.
    """
    check_steps(n_steps)
    multipliers = [plan.lr_multiplier(step, n_steps) for step in range(n_steps)]
    starts = plan.unfreeze_schedule(freezing)
    return {
        name: tuple(
            rate * multiplier if name in starts and starts[name] <= step / n_steps else 0.0
            for step, multiplier in enumerate(multipliers)
        )
        for name, rate in rates_by_part(freezing, plan.optimizer).items()
    }


def turning_steps(timeline: dict[str, tuple[float, ...]]) -> tuple[int, ...]:
    """Name the steps at which some rate turns.

    Between two of them every rate runs in a line, so the rates of these steps, counted from 0, say all others: first and
    last, the height of the warm-up, and for each part that unfreezes the last step without and the first step with it.

    Args:
        timeline: as `rate_timeline` gives it.
    """
    n_steps = len(next(iter(timeline.values())))
    turns = {0, n_steps - 1}
    for rates in timeline.values():
        top = max(rates)
        turns |= {rates.index(top), n_steps - 1 - rates[::-1].index(top)}  # where the rates rise no more, and begin to fall
        turns |= {step for step in range(n_steps - 1) if (rates[step] == 0.0) != (rates[step + 1] == 0.0)}
        turns |= {step + 1 for step in range(n_steps - 1) if (rates[step] == 0.0) != (rates[step + 1] == 0.0)}
    return tuple(sorted(turns))


def check_steps(n_steps: int) -> None:
    """Make sure that a number of steps can be planned.

    Raises:
        PlanError: it is no whole number from 1 to `MAX_PLANNED_STEPS`.
    """
    if not isinstance(n_steps, int) or isinstance(n_steps, bool) or not 1 <= n_steps <= MAX_PLANNED_STEPS:
        raise PlanError(f"A run has a whole number of steps from 1 to {MAX_PLANNED_STEPS:,}, not {n_steps}.", "n_steps")
