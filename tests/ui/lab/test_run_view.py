import pytest

from mtdemo.laboratory.outcome import AnswerChange, LayerDrift
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import Entity
from mtdemo.ui.charts.run import fit_scores, join_labels, plot_layers
from mtdemo.ui.lab.run_details import MAX_CHANGES, caution_few, list_changes
from mtdemo.ui.lab.run_view import name_plan


def test_plans_have_names() -> None:
    assert name_plan(TrainingPlan(selection="biases", gradual=True)) == (
        "biases only (BitFit), unfrozen gradually, no part frozen"
    )
    assert name_plan(TrainingPlan()) == "no part frozen"
    assert name_plan(TrainingPlan(("embeddings", "layer_0", "ner_head"))) == "frozen: embeddings, layer 1, entity head"
    assert name_plan(TrainingPlan(("layer_0", "layer_1", "layer_2"))) == "frozen: layers 1–3"
    assert name_plan(TrainingPlan(("layer_0", "layer_2"))) == "frozen: layer 1, layer 3"


def test_sentences_that_changed_are_text_and_no_markup() -> None:
    name = Entity("<i>Ada</i>", "PER", 0.9, 0, 10)
    change = AnswerChange("<b>x</b> ${alert(1)}", "neutral", "neutral", "positive", (name,), ())
    shown = list_changes([change] * (MAX_CHANGES + 3), {})
    assert "<b>x</b>" not in shown and "&lt;b&gt;x&lt;/b&gt;" in shown and "<i>Ada" not in shown
    assert "people: neutral" in shown and "3 more stand in" in shown
    assert shown.count("<tr>") == MAX_CHANGES + 1


def test_few_sentences_are_told() -> None:
    assert "Measured on 3 for classes: fewer than 30" in caution_few(72, 3)
    assert "2 for entities and 2 for classes" in caution_few(2, 2)
    assert caution_few(30, 72) == ""


def test_axes_fit_scores_and_never_jump() -> None:
    assert fit_scores([0.8, 0.9]) == pytest.approx([0.785, 0.915])
    for scores in ([0.5], [1.0], [0.0], [0.0, 1.0], [], [None], [0.97, 0.99, None]):
        low, high = fit_scores(scores)
        assert -0.02 <= low < high <= 1.02
        assert high - low >= 0.0999
        assert all(low <= score <= high for score in scores if score is not None)


def test_labels_of_points_in_one_place_are_written_once() -> None:
    assert join_labels(["1", "2", "3"], [(0.5, 0.5), (0.5, 0.51), (0.9, 0.5)]) == ["1, 2", "", "3"]
    assert join_labels([], []) == []


def test_layers_that_stay_are_drawn_at_one() -> None:
    figure = plot_layers([LayerDrift("embeddings", 1.0, 1.0, True), LayerDrift("layer_0", 1.0, 1.0, True)])
    low, high = figure.layout.xaxis.range
    assert low < 1.0 < high and list(figure.data[0].x) == [1.0, 1.0]
