"""The table of the trainer's settings: defaults that are allowed, and ranges that hold from Python too."""

from dataclasses import fields

import pytest

from mtdemo.errors import UsageError
from mtdemo.training.settings import TrainingSettings


def test_every_setting_says_what_it_is_and_its_default_is_in_range() -> None:
    assert all(each.metadata["about"] for each in fields(TrainingSettings))
    assert TrainingSettings() == TrainingSettings()
    assert all(
        each.metadata["read"] or each.metadata.get("choices") or each.default is True
        for each in fields(TrainingSettings)
        if each.metadata["flag"]
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_steps": 0}, "n_steps must be at least 1, not 0"),
        ({"n_steps": 1.5}, "n_steps must be at least 1, not 1.5"),
        ({"task_weights": (1.0, -1.0)}, "task_weights must be from 0 to 1e6, not -1.0"),
        ({"averaging": 1.0}, "averaging must be from 0 to less than 1, not 1.0"),
        ({"dropout": float("nan")}, "dropout must be from 0 to less than 1, not nan"),
        ({"seed": True}, "seed must be from 0 to 2147483648, not True"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_in_words(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrainingSettings(**changes)  # type: ignore[arg-type]
