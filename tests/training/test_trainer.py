"""The multi-task trainer on a tiny model: laws, not scores."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.errors import TrainingError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.parts import part_title
from mtdemo.planning.timeline import rate_timeline
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.settings import TrainingSettings
from tests.training.runs import (
    FAST,
    FAST_PLAN,
    LABELLED,
    QUICK,
    TAGGED,
    loss_in,
    make_trainer,
    run,
    state,
)


@pytest.mark.lab
def test_losses_fall_and_both_heads_learn(directory: Path) -> None:
    trained, told = run(directory, TrainingSettings(n_steps=60, sentences_per_step=40, plan=FAST_PLAN))
    assert loss_in(told[-1], "entities") < loss_in(told[0], "entities") / 3
    assert loss_in(told[-1], "classes") < loss_in(told[0], "classes") / 3
    assert trained.info.trained_heads == ("classification_head", "ner_head")
    assert not trained.model.training


def test_what_is_frozen_stays_bit_identical(directory: Path) -> None:
    before = state(load_directory(directory))
    trained, _ = run(directory, TrainingSettings(n_steps=5, plan=TrainingPlan(("embeddings",), FAST), casing=False))
    moved = {name for name, tensor in state(trained).items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("backbone.embeddings") for name in moved)
    assert any(name.startswith("backbone.encoder") for name in moved)


def test_with_frozen_embeddings_only_the_rows_of_case_move(directory: Path) -> None:
    trained, _ = run(directory, TrainingSettings(n_steps=5, plan=TrainingPlan(("embeddings",), FAST)))
    before = state(load_directory(directory))
    moved = {
        name
        for name, tensor in state(trained).items()
        if name.startswith("backbone.embeddings")
        and (tensor.shape != before[name].shape or not torch.equal(tensor, before[name]))
    }
    assert moved == {"backbone.embeddings.token_type_embeddings.weight"}


def test_a_run_without_a_step_calls_no_head_trained(directory: Path) -> None:
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    assert trainer.finished().info.trained_heads == ()
    trainer.step()
    assert trainer.finished().info.trained_heads == ("classification_head", "ner_head")


def test_a_scenario_is_applied_for_real(directory: Path) -> None:
    before = state(load_directory(directory))
    trained, _ = run(directory, TrainingSettings(n_steps=5, plan=TrainingPlan(("ner_head",), FAST), casing=False))
    assert torch.equal(state(trained)["ner_head.linear.weight"], before["ner_head.linear.weight"])
    assert trained.info.trained_heads == ("classification_head",)


@pytest.mark.lab
def test_the_same_seed_gives_the_same_model_and_another_seed_another(directory: Path) -> None:
    one, other, third = (run(directory, s)[0] for s in (QUICK, QUICK, TrainingSettings(12, 16, plan=FAST_PLAN, seed=14)))
    assert all(torch.equal(tensor, state(other)[name]) for name, tensor in state(one).items())
    assert not torch.equal(state(one)["ner_head.linear.weight"], state(third)["ner_head.linear.weight"])


def test_the_average_is_that_of_the_weights_after_each_step(directory: Path) -> None:
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, replace(QUICK, averaging=0.8))
    expected: dict[str, torch.Tensor] = {}
    for _ in range(6):
        trainer.step()
        now = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
        expected = {name: 0.8 * expected[name] + 0.2 * now[name] for name in now} if expected else now
    averaged = state(trainer.current())
    for name, tensor in expected.items():
        torch.testing.assert_close(averaged[name], tensor)
    assert not torch.equal(averaged["ner_head.linear.weight"], trainer.model.ner_head.linear.weight)
    assert all(torch.equal(tensor, averaged[name]) for name, tensor in state(trainer.finished()).items())


def test_a_gradient_that_is_no_number_changes_no_weight(directory: Path) -> None:
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    trainer.step()
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.model.ner_head.linear.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match="Step 2 has gradients that are no numbers"):
        trainer.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())


def test_a_frozen_backbone_stays_bit_identical_and_its_features_give_what_recomputing_gives(directory: Path) -> None:
    settings = TrainingSettings(n_steps=30, sentences_per_step=40, plan=TrainingPlan(("backbone",), FAST))
    before = state(load_directory(directory))
    reused, told = run(directory, settings)
    recomputed, _ = run(directory, replace(settings, max_feature_bytes=0))
    for name, tensor in state(reused).items():
        assert torch.equal(tensor, before[name]) == name.startswith("backbone."), name
        torch.testing.assert_close(tensor, state(recomputed)[name], atol=1e-5, rtol=0)
    assert loss_in(told[-1], "classes") < loss_in(told[0], "classes") / 1.5
    assert loss_in(told[-1], "drift") == 0.0
    assert not reused.model.config.casing, "a frozen backbone cannot learn case"


@pytest.mark.parametrize(
    "plan",
    [
        TrainingPlan(optimizer=FAST, gradual=True, warmup_share=0.25),
        TrainingPlan(("embeddings", "ner_head"), replace(FAST, layer_decay=0.5), gradual=True),
        TrainingPlan(("layer_1",), replace(FAST, layer_decay=0.5), warmup_share=0.5),
        TrainingPlan(("backbone",), FAST),
    ],
    ids=["gradual", "gradual with layer-wise decay", "layer-wise decay", "heads alone"],
)
def test_the_timeline_is_what_the_trainer_sets_step_by_step(directory: Path, plan: TrainingPlan) -> None:
    """Rates reach a group that unfreezes later, from its first step on, and what has none does not move."""
    n_steps = 12
    settings = TrainingSettings(n_steps=n_steps, sentences_per_step=4, plan=plan, casing=False)
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, settings)
    freezing = trainer.prepared.freezing
    timeline = rate_timeline(plan, freezing, n_steps)
    weights = dict(trainer.model.named_parameters())
    for step in range(n_steps):
        told = trainer.learning_rates
        groups = trainer._optimizer.param_groups
        set_by = {id(weight): group["lr"] for group in groups for weight in group["params"]}
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        trainer.step()
        for part in freezing.parts:
            own = [weights[parameter.name] for parameter in part.part.parameters]
            really = {set_by[id(weight)] if weight.grad is not None else 0.0 for weight in own}
            assert really == {timeline[part.name][step]}, (step, part.name)
            moved = any(not torch.equal(weights[p.name], before[p.name]) for p in part.part.parameters)
            assert moved == (timeline[part.name][step] > 0), (step, part.name)
        in_backbone = [part.name for part in freezing.parts if part.kind.in_backbone]
        for block, rate in told.items():
            parts = in_backbone if block == "backbone" else [p.name for p in freezing.parts if part_title(p.name) == block]
            assert rate == max(timeline[name][step] for name in parts), (step, block)
