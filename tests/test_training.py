"""The multi-task trainer on a tiny model: laws, not scores."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.loading import LoadedModel, load_directory
from mtdemo.optim import OptimizerSettings
from mtdemo.training import STATE_FILE, Batches, Teacher, Trainer, Training, train

TAGGED = [
    TaggedSentence(("John", "sat", "on", "the", "cat"), ("PER", "O", "O", "O", "O")),
    TaggedSentence(("the", "cat", "sat", "on", "Paris"), ("O", "O", "O", "O", "LOC")),
    TaggedSentence(("Paris", "sings", "."), ("LOC", "O", "O"), ("PER", "ORG", "LOC")),
] * 20
LABELLED = [LabelledSentence("the cat sat !", "positive"), LabelledSentence("Paris sings on the mat", "negative")] * 30
FAST = OptimizerSettings(5e-3, {"classification_head": 2e-2, "ner_head": 2e-2})
QUICK = Training(n_steps=12, sentences_per_step=8, optimizer=FAST, save_every=5)


@pytest.fixture
def directory(tiny: Callable[..., Path]) -> Path:
    torch.manual_seed(0)
    return tiny()


def run(checkpoint: Path, settings: Training, **more: object) -> tuple[LoadedModel, list[str]]:
    told: list[str] = []
    base = load_directory(checkpoint)
    trained = train(base, TAGGED, LABELLED, settings, lambda phrase, *_: told.append(phrase), **more)  # type: ignore[arg-type]
    return trained, told


def state(model: LoadedModel) -> dict[str, torch.Tensor]:
    return model.model.state_dict()


def loss_in(phrase: str, name: str) -> float:
    return float(phrase.partition(f"{name} ")[2].partition(",")[0])


def test_losses_fall_and_both_heads_learn(directory: Path) -> None:
    trained, told = run(directory, Training(n_steps=60, sentences_per_step=20, optimizer=FAST))
    assert loss_in(told[-1], "entities") < loss_in(told[0], "entities") / 3
    assert loss_in(told[-1], "classes") < loss_in(told[0], "classes") / 3
    assert trained.info.trained_heads == ("classification_head", "ner_head")
    assert not trained.model.training


def test_what_is_frozen_stays_bit_identical(directory: Path) -> None:
    before = state(load_directory(directory))
    trained, _ = run(directory, Training(n_steps=5, optimizer=FAST, freeze_embeddings=True, casing=False))
    moved = {name for name, tensor in state(trained).items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("backbone.embeddings") for name in moved)
    assert any(name.startswith("backbone.encoder") for name in moved)


def test_with_frozen_embeddings_only_the_rows_of_case_move(directory: Path) -> None:
    trained, _ = run(directory, Training(n_steps=5, optimizer=FAST, freeze_embeddings=True))
    before = state(load_directory(directory))
    moved = {
        name
        for name, tensor in state(trained).items()
        if name.startswith("backbone.embeddings")
        and (tensor.shape != before[name].shape or not torch.equal(tensor, before[name]))
    }
    assert moved == {"backbone.embeddings.token_type_embeddings.weight"}


def test_a_scenario_is_applied_for_real(directory: Path) -> None:
    before = state(load_directory(directory))
    trained, _ = run(directory, Training(n_steps=5, optimizer=FAST, scenario="freeze_ner_head", casing=False))
    assert torch.equal(state(trained)["ner_head.linear.weight"], before["ner_head.linear.weight"])
    assert trained.info.trained_heads == ("classification_head",)


def test_a_resumed_run_ends_as_one_that_was_never_stopped(directory: Path, tmp_path: Path) -> None:
    whole, _ = run(directory, QUICK)

    def stop(phrase: str, done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_directory(directory), TAGGED, LABELLED, QUICK, stop, tmp_path / "out")
    resumed, told = run(directory, QUICK, directory=tmp_path / "out", resume=True)
    assert len(told) == 12 - 5, "the last saved state is that of step 5"
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(resumed)[name]), name


def test_the_same_seed_gives_the_same_model_and_another_seed_another(directory: Path) -> None:
    one, other, third = (run(directory, s)[0] for s in (QUICK, QUICK, Training(12, 8, FAST, seed=14)))
    assert all(torch.equal(tensor, state(other)[name]) for name, tensor in state(one).items())
    assert not torch.equal(state(one)["ner_head.linear.weight"], state(third)["ner_head.linear.weight"])


def test_resuming_with_other_settings_or_without_a_state_is_refused(directory: Path, tmp_path: Path) -> None:
    run(directory, QUICK, directory=tmp_path / "out")
    with pytest.raises(DataFileError, match="other settings"):
        run(directory, Training(n_steps=13), directory=tmp_path / "out", resume=True)
    with pytest.raises(DataFileError, match="nothing to resume"):
        run(directory, QUICK, directory=tmp_path / "empty", resume=True)
    (tmp_path / "out" / STATE_FILE).write_bytes(b"broken")
    with pytest.raises(DataFileError, match="cannot be read"):
        run(directory, QUICK, directory=tmp_path / "out", resume=True)


def test_distillation_keeps_embeddings_where_training_without_it_loses_them(directory: Path) -> None:
    drifts = {}
    for weight in (0.0, 30.0):
        settings = Training(n_steps=40, sentences_per_step=16, optimizer=FAST, distillation_weight=weight)
        trainer = Trainer(load_directory(directory), TAGGED, LABELLED, settings)
        for _ in range(settings.n_steps):
            losses = trainer.step()
        drifts[weight] = losses.drift
    assert drifts[30.0] < drifts[0.0] / 2


def test_the_teacher_is_the_model_as_it_was(directory: Path) -> None:
    base = load_directory(directory)
    trainer = Trainer(base, TAGGED, LABELLED, QUICK)
    windows = [example.window for example in trainer.tagged[:3]]
    teacher = Teacher(base, windows)
    before = teacher[[0, 2]]
    trainer.step()
    assert torch.equal(teacher[[2, 0]], before.flip(0))
    assert torch.equal(Teacher(base, windows)[[0, 2]], before) is False


def test_batches_are_a_function_of_seed_and_step_and_cover_an_epoch() -> None:
    lengths = [3 + n % 17 for n in range(100)]
    batches, again = Batches(lengths, 10, 1), Batches(lengths, 10, 1)
    epoch = [batches[step] for step in range(10)]
    assert sorted(index for batch in epoch for index in batch) == list(range(100))
    assert again[7] == epoch[7]
    assert [again[step] for step in range(10, 20)] != epoch
    assert max(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in epoch) < 10


def test_a_loss_that_is_no_number_stops_before_anything_is_written(directory: Path, tmp_path: Path) -> None:
    base = load_directory(directory)
    with torch.no_grad():
        base.model.ner_head.linear.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="Step 1"):
        train(base, TAGGED, LABELLED, Training(n_steps=2, save_every=1), lambda *_: None, tmp_path / "out")
    assert not (tmp_path / "out" / STATE_FILE).exists()
