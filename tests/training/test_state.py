"""Saved states: a run that was stopped ends as if it had not been, and no other run goes on from it."""

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel

from mtdemo.errors import FileWriteError, ResumeError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import no_progress
from mtdemo.training.loop import STATE_FILE, train
from mtdemo.training.preparation import prepare
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.state import RunIdentity, load_state
from tests.conftest import make_tokenizer
from tests.training.runs import (
    FAST,
    LABELLED,
    QUICK,
    TAGGED,
    run,
    run_until,
    state,
)


def test_a_full_disk_is_told_in_a_sentence_and_leaves_the_last_state(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(7, directory, QUICK, tmp_path / "out")

    def fill(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nlong trace")

    with monkeypatch.context() as full:
        full.setattr(torch, "save", fill)
        with pytest.raises(FileWriteError, match=r"could not be written: .*pos 64 vs 0\. The state that was saved before"):
            run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.partial"))
    run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")


def test_a_resumed_run_ends_as_one_that_was_never_stopped(directory: Path, tmp_path: Path) -> None:
    whole, _ = run(directory, QUICK)

    run_until(7, directory, QUICK, tmp_path / "out")
    resumed, told = run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    assert len(told) == 12 - 5, "the last saved state is that of step 5"
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(resumed)[name]), name


def test_a_run_that_draws_by_source_goes_on_with_the_same_sources_alone(directory: Path, tmp_path: Path) -> None:
    def from_sources(n_small: int) -> Any:
        sentences = [replace(row, source="small" if n < n_small else "large") for n, row in enumerate(TAGGED)]
        return partial(train, load_directory(directory), sentences, LABELLED, settings, directory=tmp_path / "out")

    def stop(phrase: str, done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    settings = replace(QUICK, source_powers=(0.5, 1.0))
    whole = from_sources(6)(no_progress)
    with pytest.raises(KeyboardInterrupt):
        from_sources(6)(stop)
    with pytest.raises(ResumeError, match="of a run with other sentences"):
        from_sources(7)(no_progress, resume=tmp_path / "out")
    with pytest.raises(ResumeError, match="source_powers was"):
        run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    resumed = from_sources(6)(no_progress, resume=tmp_path / "out")
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())
    plain = partial(train, load_directory(directory), TAGGED, LABELLED)
    assert not torch.equal(
        state(whole)["ner_head.linear.weight"], state(plain(QUICK, no_progress))["ner_head.linear.weight"]
    )


@pytest.mark.lab
@pytest.mark.parametrize(
    "changes",
    [{"plan": TrainingPlan(("classification_head",), FAST)}, {"task_weights": (1.0, 0.0)}, {"task_weights": (0.0, 1.0)}],
)
def test_a_run_from_a_plain_backbone_goes_on_though_a_head_is_not_taught(
    directory: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    BertModel(load_directory(directory).model.config.backbone).save_pretrained(tmp_path / "plain")
    make_tokenizer().save_pretrained(tmp_path / "plain")
    settings = replace(QUICK, **changes)
    whole, _ = run(tmp_path / "plain", settings)
    run_until(7, tmp_path / "plain", settings, tmp_path / "out")
    resumed, told = run(tmp_path / "plain", settings, directory=tmp_path / "out", resume=tmp_path / "out")
    assert len(told) == 12 - 5
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())


def test_a_run_that_looks_at_one_task_alone_goes_on_with_its_features(directory: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, plan=TrainingPlan(("backbone",), FAST), task_weights=(0.0, 1.0), distillation_weight=0.0)
    whole, _ = run(directory, settings)
    run_until(8, directory, settings, tmp_path / "out")
    resumed, _ = run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out")
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())


@pytest.mark.lab
@pytest.mark.parametrize(
    "plan",
    [
        TrainingPlan(("backbone",), FAST),
        TrainingPlan(optimizer=FAST, gradual=True),
        TrainingPlan(optimizer=FAST, selection="adapters"),
        TrainingPlan(("backbone",), FAST, new_output_layer=True),
    ],
)
def test_a_run_of_any_plan_ends_as_if_it_had_not_been_stopped(directory: Path, tmp_path: Path, plan: TrainingPlan) -> None:
    settings = replace(QUICK, plan=plan, tokens_per_pass=100)
    whole, _ = run(directory, settings)

    run_until(8, directory, settings, tmp_path / "out")
    resumed, _ = run(directory, settings, directory=tmp_path / "other", resume=tmp_path / "out")
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())


@pytest.mark.lab
def test_an_average_survives_a_stop_and_leaves_what_is_frozen_bit_identical(directory: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, averaging=0.8, plan=TrainingPlan(("embeddings",), FAST), casing=False)
    before = state(load_directory(directory))
    whole, _ = run(directory, settings)

    run_until(7, directory, settings, tmp_path / "out")
    resumed, _ = run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out")
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(resumed)[name]), name
        assert torch.equal(tensor, before[name]) == name.startswith("backbone.embeddings."), name


def test_resuming_with_other_settings_or_without_a_state_is_refused(directory: Path, tmp_path: Path) -> None:
    run(directory, QUICK, directory=tmp_path / "out")
    with pytest.raises(ResumeError, match="other settings"):
        run(directory, TrainingSettings(n_steps=13), directory=tmp_path / "out", resume=tmp_path / "out")
    with pytest.raises(
        ResumeError, match=r"other settings: label_smoothing was 0.0 and is now 0.1; seed was 13 and is now 5\."
    ):
        run(directory, replace(QUICK, seed=5, label_smoothing=0.1), directory=tmp_path / "out", resume=tmp_path / "out")
    prepared = prepare(load_directory(directory), TAGGED[::-1], LABELLED, QUICK)
    with pytest.raises(ResumeError, match="other sentences, or from another model"):
        load_state(tmp_path / "out" / STATE_FILE, RunIdentity.of(prepared))
    other = load_directory(directory)
    with torch.no_grad():
        other.model.backbone.encoder.layer[0].output.dense.bias.add_(1)
    with pytest.raises(ResumeError, match="other sentences, or from another model"):
        load_state(tmp_path / "out" / STATE_FILE, RunIdentity.of(prepare(other, TAGGED, LABELLED, QUICK)))
    with pytest.raises(ResumeError, match="nothing to resume"):
        run(directory, QUICK, directory=tmp_path / "empty", resume=tmp_path / "empty")
    plan = TrainingPlan(optimizer=replace(FAST, backbone_learning_rate=0.1))
    with pytest.raises(ResumeError, match=r"settings: plan.optimizer.backbone_learning_rate was 0.005 and is now 0.1\.$"):
        run(directory, replace(QUICK, plan=plan), directory=tmp_path / "out", resume=tmp_path / "out")
    torch.save({"settings": {}, "teacher": {}}, tmp_path / "out" / STATE_FILE)
    with pytest.raises(ResumeError, match="saved by an earlier version"):
        run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    (tmp_path / "out" / STATE_FILE).write_bytes(b"broken")
    with pytest.raises(ResumeError, match="cannot be read"):
        run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")


@pytest.mark.lab
def test_a_run_with_a_teacher_ends_as_if_it_had_not_been_stopped(
    directory: Path, tmp_path: Path, teacher: LoadedModel
) -> None:
    whole, _ = run(directory, QUICK, class_teachers=[teacher])
    run_until(7, directory, QUICK, tmp_path, class_teachers=[teacher])
    resumed, _ = run(directory, QUICK, resume=tmp_path, class_teachers=[teacher])
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())
    with pytest.raises(ResumeError, match="from another model"):
        run(directory, QUICK, resume=tmp_path)
    other = replace(teacher, model=copy.deepcopy(teacher.model))
    with torch.no_grad():
        other.model.classification_head.linear.bias.add_(1)
    with pytest.raises(ResumeError, match="from another model"):
        run(directory, QUICK, resume=tmp_path, class_teachers=[other])
