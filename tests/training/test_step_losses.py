"""Losses as they are told: one vocabulary for the log, the laboratory and the progress bar."""

from mtdemo.training.step_losses import StepLosses


def test_a_loss_that_was_not_computed_is_null_in_json_and_absent_in_words() -> None:
    losses = StepLosses(0.5, None, disagreement=0.25, drift=0.00125)
    assert losses.as_dict() == {
        "entities": 0.5, "classes": None, "new_output_layer": None, "disagreement": 0.25, "drift": 0.00125,
    }  # fmt: skip
    assert losses.phrase == "entities 0.500, disagreement 0.250, drift 0.0013"


def test_the_mean_is_over_the_steps_that_have_a_loss() -> None:
    steps = [StepLosses(1.0, None), StepLosses(3.0, 5.0), StepLosses(None, None)]
    assert StepLosses.mean(steps) == StepLosses(2.0, 5.0)
