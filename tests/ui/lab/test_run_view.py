from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.lab.run_view import name_plan


def test_plans_have_names() -> None:
    assert name_plan(TrainingPlan(selection="biases", gradual=True)) == (
        "biases only (BitFit), unfrozen gradually, no part frozen"
    )
    assert name_plan(TrainingPlan()) == "no part frozen"
    assert name_plan(TrainingPlan(("embeddings", "layer_0", "ner_head"))) == "frozen: embeddings, layer 1, entity head"
    assert name_plan(TrainingPlan(("layer_0", "layer_1", "layer_2"))) == "frozen: layers 1–3"
    assert name_plan(TrainingPlan(("layer_0", "layer_2"))) == "frozen: layer 1, layer 3"
