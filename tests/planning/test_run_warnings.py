"""What contradicts itself between a plan and a run is told in words."""

from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.run_warnings import run_warnings
from mtdemo.planning.training_plan import TrainingPlan, loss_weight_by_head
from tests.conftest import tiny_config


def warnings(plan: TrainingPlan, task_weights: tuple[float, float], **more: float) -> str:
    freezing = plan.freezing_plan(MultiTaskModel(tiny_config()).parts())
    return " ".join(run_warnings(plan, freezing, 100, task_weights, **more))


def test_a_head_that_a_teacher_teaches_is_asked_something() -> None:
    assert loss_weight_by_head((2.0, 0.0), 0.5) == {"ner_head": 2.0, "classification_head": 0.5, "output_layer": 0.0}
    idle = "The classification head may train, but nothing of its task is learned"
    assert idle in warnings(TrainingPlan(), (1.0, 0.0))
    assert warnings(TrainingPlan(), (1.0, 0.0), teacher_weight=1.0) == ""
    assert "The entity head may train, but nothing" in warnings(TrainingPlan(), (0.0, 1.0), teacher_weight=1.0)


def test_noise_and_what_keeps_embeddings_do_nothing_where_the_backbone_is_frozen() -> None:
    frozen = TrainingPlan(("backbone",))
    assert "hidden word pieces and noise of case do nothing" in warnings(frozen, (1.0, 1.0), noise=0.1)
    assert "the weight of keeping them does nothing" in warnings(frozen, (1.0, 1.0), distillation_weight=1.0)
    assert warnings(frozen, (1.0, 1.0)) == ""
    assert warnings(TrainingPlan(), (1.0, 1.0), noise=0.1, distillation_weight=1.0) == ""
