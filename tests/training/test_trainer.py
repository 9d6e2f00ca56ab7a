"""The multi-task trainer on a tiny model: laws, not scores."""

import copy
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel, DistilBertConfig

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError, TrainingError
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.distillation import Teacher
from mtdemo.training.loop import LOG_FILE, STATE_FILE, train
from mtdemo.training.losses import class_disagreement, embedding_drift
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.trainer import Evaluator, Scores, Trainer
from tests.conftest import make_tokenizer

TAGGED = [
    TaggedSentence(("John", "sat", "on", "the", "cat"), ("PER", "O", "O", "O", "O")),
    TaggedSentence(("the", "cat", "sat", "on", "Paris"), ("O", "O", "O", "O", "LOC")),
    TaggedSentence(("Paris", "sings", "."), ("LOC", "O", "O"), ("PER", "ORG", "LOC")),
] * 20
LABELLED = [LabelledSentence("the cat sat !", "positive"), LabelledSentence("Paris sings on the mat", "negative")] * 30
FAST = OptimizerSettings(5e-3, {"classification_head": 2e-2, "ner_head": 2e-2})
FAST_PLAN = TrainingPlan(optimizer=FAST)
QUICK = TrainingSettings(n_steps=12, sentences_per_step=16, plan=FAST_PLAN, interval=5)


@pytest.fixture
def directory(tiny: Callable[..., Path]) -> Path:
    return tiny()


@pytest.fixture
def teacher(tiny: Callable[..., Path]) -> LoadedModel:
    model = load_directory(tiny("teacher", seed=1))
    with torch.no_grad():
        model.model.classification_head.linear.weight.mul_(100)  # it is sure of what it says
    return replace(model, info=replace(model.info, trained_heads=("classification_head",)))


def run(checkpoint: Path, settings: TrainingSettings, **more: object) -> tuple[LoadedModel, list[str]]:
    told: list[str] = []
    base = load_directory(checkpoint)
    trained = train(base, TAGGED, LABELLED, settings, lambda phrase, *_: told.append(phrase), **more)  # type: ignore[arg-type]
    return trained, told


def run_until(step: int, checkpoint: Path, settings: TrainingSettings, out: Path, measure: Evaluator | None = None) -> None:
    """A run that is stopped in the middle."""

    def stop(phrase: str, done: int, total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_directory(checkpoint), TAGGED, LABELLED, settings, stop, out, measure=measure)


class Asked:
    """A measure that asks a function."""

    def __init__(self, ask: Callable[[LoadedModel], Scores], fingerprint: str = "kept aside") -> None:
        self.ask, self.fingerprint = ask, fingerprint

    def __call__(self, model: LoadedModel) -> Scores:
        return self.ask(model)


def state(model: LoadedModel) -> dict[str, torch.Tensor]:
    return model.model.state_dict()


def loss_in(phrase: str, name: str) -> float:
    return float(phrase.partition(f"{name} ")[2].partition(",")[0])


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


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (replace(QUICK, task_weights=(1.0, 0.0)), ("ner_head",)),
        (replace(QUICK, task_weights=(0.0, 1.0)), ("classification_head",)),
        (
            replace(QUICK, plan=TrainingPlan(optimizer=OptimizerSettings(1e-3, {"ner_head": 0.0}))),
            ("classification_head",),
        ),
    ],
)
def test_only_a_head_that_was_taught_something_is_called_trained(
    directory: Path, settings: TrainingSettings, expected: tuple[str, ...]
) -> None:
    trained, _ = run(directory, replace(settings, n_steps=2))
    assert trained.info.trained_heads == expected == trained.model.trained_heads


def test_an_output_layer_of_other_labels_is_left_alone(tiny: Callable[..., Path]) -> None:
    labels = ["positive", "negative"]  # an index that the classes' third would be beyond
    directory = tiny(output_labels=labels, trained_heads=["output_layer"])
    before = state(load_directory(directory))
    dataset = [*LABELLED, LabelledSentence("the mat", "positive")]
    base = load_directory(directory)
    trainer = Trainer(base, TAGGED, dataset, replace(QUICK, plan=TrainingPlan(optimizer=replace(FAST, weight_decay=0.1))))
    assert trainer.step().new_output_layer is None
    trained = trainer.finished()
    assert all(torch.equal(state(trained)[name], before[name]) for name in before if name.startswith("output_layer"))
    assert trained.info.trained_heads == ("classification_head", "ner_head", "output_layer"), "as it was before"


def test_a_run_without_a_step_calls_no_head_trained(directory: Path) -> None:
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    assert trainer.finished().info.trained_heads == ()
    trainer.step()
    assert trainer.finished().info.trained_heads == ("classification_head", "ner_head")


@pytest.mark.parametrize("weights", [(0.0, 1.0), (1.0, 1.0)])
def test_a_task_without_sentences_is_not_looked_at(directory: Path, weights: tuple[float, float]) -> None:
    trainer = Trainer(load_directory(directory), [], LABELLED, replace(QUICK, task_weights=weights))
    assert trainer.distillation_weight
    losses = trainer.step()
    assert losses.entities is None and losses.classes is not None and losses.drift is not None
    assert trainer.current().info.trained_heads == ("classification_head",)
    with pytest.raises(DataFileError, match="no sentence to learn from"):
        Trainer(load_directory(directory), [], [], QUICK)


def test_the_log_of_a_run_that_goes_on_counts_its_seconds_from_where_it_stopped(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(start=1000, step=10)
    monkeypatch.setattr("mtdemo.training.loop.time.monotonic", lambda: next(now))
    run_until(7, directory, QUICK, tmp_path / "out")
    run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    assert [(row["step"], row["seconds"]) for row in rows] == [(5, 10), (10, 20), (12, 30)]


def test_a_full_disk_is_told_in_a_sentence_and_leaves_the_last_state(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(7, directory, QUICK, tmp_path / "out")

    def fill(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nlong trace")

    with monkeypatch.context() as full:
        full.setattr(torch, "save", fill)
        with pytest.raises(DataFileError, match=r"could not be written: .*pos 64 vs 0\. The state that was saved before"):
            run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.partial"))
    run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")


def test_a_scenario_is_applied_for_real(directory: Path) -> None:
    before = state(load_directory(directory))
    trained, _ = run(directory, TrainingSettings(n_steps=5, plan=TrainingPlan(("ner_head",), FAST), casing=False))
    assert torch.equal(state(trained)["ner_head.linear.weight"], before["ner_head.linear.weight"])
    assert trained.info.trained_heads == ("classification_head",)


def test_a_resumed_run_ends_as_one_that_was_never_stopped(directory: Path, tmp_path: Path) -> None:
    whole, _ = run(directory, QUICK)

    run_until(7, directory, QUICK, tmp_path / "out")
    resumed, told = run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    assert len(told) == 12 - 5, "the last saved state is that of step 5"
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(resumed)[name]), name


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


def test_the_same_seed_gives_the_same_model_and_another_seed_another(directory: Path) -> None:
    one, other, third = (run(directory, s)[0] for s in (QUICK, QUICK, TrainingSettings(12, 16, plan=FAST_PLAN, seed=14)))
    assert all(torch.equal(tensor, state(other)[name]) for name, tensor in state(one).items())
    assert not torch.equal(state(one)["ner_head.linear.weight"], state(third)["ner_head.linear.weight"])


def test_the_average_is_that_of_the_weights_after_each_step(directory: Path) -> None:
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, replace(QUICK, averaging=0.8))
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


def test_an_average_survives_a_stop_and_leaves_what_is_frozen_bit_identical(directory: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, averaging=0.8, plan=TrainingPlan(("embeddings",), FAST), casing=False)
    before = state(load_directory(directory))
    whole, _ = run(directory, settings)

    run_until(7, directory, settings, tmp_path / "out")
    resumed, _ = run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out")
    for name, tensor in state(whole).items():
        assert torch.equal(tensor, state(resumed)[name]), name
        assert torch.equal(tensor, before[name]) == name.startswith("backbone.embeddings."), name


def test_smoothed_targets_give_the_loss_against_a_spread_distribution(directory: Path) -> None:
    base = load_directory(directory)
    trainer = Trainer(base, TAGGED, LABELLED[:1], replace(QUICK, label_smoothing=0.3, sentences_per_step=2))
    task = trainer.tasks[1]
    output = base.model.eval()(input_ids=torch.tensor([task.examples[0].window.input_ids]))
    log_probabilities = output.classification_logits.log_softmax(dim=-1)[0]
    targets = torch.full((3,), 0.1)
    targets[base.info.class_labels.index("positive")] = 0.8
    (loss,) = task.loss(output, task.examples[:1])
    torch.testing.assert_close(loss, -(targets * log_probabilities).sum())


def test_a_new_class_head_reads_what_it_is_told_to_and_a_trained_one_what_it_always_read(directory: Path) -> None:
    first, _ = run(directory, replace(QUICK, pooling="cls"))
    assert first.model.config.classification_pooling == "cls"
    assert load_directory(directory).model.config.classification_pooling == "mean"
    again = Trainer(first, TAGGED, LABELLED, replace(QUICK, pooling="mean"))
    assert again.model.config.classification_pooling == "cls"


def test_resuming_with_other_settings_or_without_a_state_is_refused(directory: Path, tmp_path: Path) -> None:
    run(directory, QUICK, directory=tmp_path / "out")
    with pytest.raises(DataFileError, match="other settings"):
        run(directory, TrainingSettings(n_steps=13), directory=tmp_path / "out", resume=tmp_path / "out")
    with pytest.raises(
        DataFileError, match=r"other settings: label_smoothing was 0.0 and is now 0.1; seed was 13 and is now 5\."
    ):
        run(directory, replace(QUICK, seed=5, label_smoothing=0.1), directory=tmp_path / "out", resume=tmp_path / "out")
    trainer = Trainer(load_directory(directory), TAGGED[::-1], LABELLED, QUICK)
    with pytest.raises(DataFileError, match="other sentences, or from another model"):
        trainer.restore(tmp_path / "out" / STATE_FILE)
    other = load_directory(directory)
    with torch.no_grad():
        other.model.backbone.encoder.layer[0].output.dense.bias.add_(1)
    with pytest.raises(DataFileError, match="other sentences, or from another model"):
        Trainer(other, TAGGED, LABELLED, QUICK).restore(tmp_path / "out" / STATE_FILE)
    with pytest.raises(DataFileError, match="nothing to resume"):
        run(directory, QUICK, directory=tmp_path / "empty", resume=tmp_path / "empty")
    plan = TrainingPlan(optimizer=replace(FAST, backbone_learning_rate=0.1))
    with pytest.raises(DataFileError, match=r"settings: plan.optimizer.backbone_learning_rate was 0.005 and is now 0.1\.$"):
        run(directory, replace(QUICK, plan=plan), directory=tmp_path / "out", resume=tmp_path / "out")
    torch.save({"settings": {}, "teacher": {}}, tmp_path / "out" / STATE_FILE)
    with pytest.raises(DataFileError, match="saved by an earlier version"):
        run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")
    (tmp_path / "out" / STATE_FILE).write_bytes(b"broken")
    with pytest.raises(DataFileError, match="cannot be read"):
        run(directory, QUICK, directory=tmp_path / "out", resume=tmp_path / "out")


def test_distillation_keeps_embeddings_where_training_without_it_loses_them(directory: Path) -> None:
    drifts = {}
    for weight in (0.0, 30.0):
        settings = TrainingSettings(n_steps=40, sentences_per_step=32, plan=FAST_PLAN, distillation_weight=weight)
        trainer = Trainer(load_directory(directory), TAGGED, LABELLED, settings)
        for _ in range(settings.n_steps):
            losses = trainer.step()
        assert (losses.drift is None) == (weight == 0), "it is not measured where it is not used"
        trainer.model.eval()
        indices = range(len(TAGGED))
        inputs = trainer.base.pad([example.window for example in trainer.tasks[0].examples])
        with torch.no_grad():
            embeddings = trainer.model(**inputs).sentence_embedding
        teacher = Teacher.of_embeddings(load_directory(directory), [e.window for e in trainer.tasks[0].examples])
        drifts[weight] = embedding_drift(embeddings, teacher[indices]).item()
    assert drifts[30.0] < drifts[0.0] / 2


def test_a_teacher_of_classes_is_followed_by_the_sentences_of_both_tasks(directory: Path, teacher: LoadedModel) -> None:
    disagreements = {}
    for weight in (0.0, 5.0):
        settings = replace(QUICK, n_steps=40, task_weights=(1.0, 0.0), teacher_weight=weight)
        trainer = Trainer(load_directory(directory), TAGGED, LABELLED, settings, [teacher])
        for _ in range(settings.n_steps):
            losses = trainer.step()
        assert (losses.disagreement is None) == (weight == 0), "it is not measured where it is not used"
        assert losses.classes is not None, "both kinds of sentences are read, also where one task has no weight"
        trainer.model.eval()
        examples = [example for task in trainer.tasks for example in task.examples]
        inputs = trainer.base.pad([example.window for example in examples])
        with torch.no_grad():
            logits = trainer.model(**inputs).classification_logits
        said = Teacher.of_classes([teacher], [s.text for s in (*TAGGED, *LABELLED)], teacher.info.class_labels, 128)
        disagreements[weight] = class_disagreement(logits, said[range(len(examples))]).item()
    assert disagreements[5.0] < disagreements[0.0] / 5


def test_a_teacher_is_read_without_the_noise_that_its_pupil_reads(directory: Path, teacher: LoadedModel) -> None:
    settings = replace(QUICK, word_dropout=0.5, case_noise=0.5)
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, settings, [teacher])
    trainer.step()
    known = trainer.teachers["classes"].known.nonzero().flatten()
    texts = [sentence.text for sentence in (*TAGGED, *LABELLED)]
    alone = analyze_batches(teacher, [texts[index] for index in known], max_length=64)
    for index, analysis in zip(known, alone, strict=True):
        said = trainer.teachers["classes"][[int(index)]][0]
        torch.testing.assert_close(said, torch.tensor([*analysis.probabilities.values()]), atol=1e-3, rtol=0)


def test_a_run_with_a_teacher_ends_as_if_it_had_not_been_stopped(
    directory: Path, tmp_path: Path, teacher: LoadedModel
) -> None:
    whole, _ = run(directory, QUICK, class_teachers=[teacher])
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, QUICK, [teacher])
    for _ in range(5):
        trainer.step()
    trainer.save(tmp_path / STATE_FILE)
    resumed, _ = run(directory, QUICK, resume=tmp_path, class_teachers=[teacher])
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())
    with pytest.raises(DataFileError, match="from another model"):
        run(directory, QUICK, resume=tmp_path)
    other = replace(teacher, model=copy.deepcopy(teacher.model))
    with torch.no_grad():
        other.model.classification_head.linear.bias.add_(1)
    with pytest.raises(DataFileError, match="from another model"):
        run(directory, QUICK, resume=tmp_path, class_teachers=[other])


def test_a_loss_that_is_no_number_stops_before_anything_is_written(directory: Path, tmp_path: Path) -> None:
    base = load_directory(directory)
    with torch.no_grad():
        base.model.backbone.encoder.layer[0].output.dense.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="Step 1"):
        train(base, TAGGED, LABELLED, TrainingSettings(n_steps=2, interval=1), lambda *_: None, tmp_path / "out")
    assert not (tmp_path / "out" / STATE_FILE).exists()


def test_a_gradient_that_is_no_number_changes_no_weight(directory: Path) -> None:
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    trainer.step()
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.model.ner_head.linear.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match="Step 2 has gradients that are no numbers"):
        trainer.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())


@pytest.mark.parametrize(
    ("metrics", "kept"), [((math.nan, 0.5, math.nan), 1), ((math.nan, math.nan, math.nan), 2), ((math.inf, 0.5, 0.4), 1)]
)
def test_a_measure_that_is_no_number_chooses_nothing_and_the_log_stays_json(
    directory: Path, tmp_path: Path, metrics: tuple[float, ...], kept: int
) -> None:
    """Without any number the last weights are kept, as they are without a measurement."""

    class Score:
        phrase = "x"

        def __init__(self, selection_metric: float) -> None:
            self.selection_metric = selection_metric

        def as_dict(self) -> dict[str, float]:
            return {"selection_metric": self.selection_metric}

    scores = iter(metrics)
    trainers: list[LoadedModel] = []

    def measure(model: LoadedModel) -> Score:
        trainers.append(replace(model, model=copy.deepcopy(model.model)))
        return Score(next(scores))

    trained, _ = run(directory, replace(QUICK, n_steps=6, interval=2), directory=tmp_path / "out", measure=Asked(measure))
    assert all(torch.equal(tensor, state(trainers[kept])[name]) for name, tensor in state(trained).items())
    rows = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    expected = [metric if math.isfinite(metric) else None for metric in metrics]
    assert [row["scores"]["selection_metric"] for row in rows] == expected


def test_distillation_weighs_the_same_for_one_task_as_for_two(directory: Path) -> None:
    """The gradient of keeping embeddings, of the same sentences as one task and as two."""
    texts = ["the cat sat", "Paris sings on the mat", "John sat"]
    labelled = [LabelledSentence(text, "positive") for text in texts]
    tagged = [TaggedSentence(tuple(text.split()), ("O",) * len(text.split())) for text in texts]
    settings = replace(QUICK, task_weights=(0.0, 0.0), dropout=0.0, casing=False, max_gradient_norm=1e9)
    norms = []
    for of_entities, n_sentences in (([], 3), (tagged, 6)):
        trainer = Trainer(
            load_directory(directory), of_entities, labelled, replace(settings, sentences_per_step=n_sentences)
        )
        bias = trainer.model.backbone.encoder.layer[0].output.dense.bias
        with torch.no_grad():
            bias[0] += 1  # what has not drifted has no gradient
        trainer.step()
        norms.append(bias.grad.norm().item())
    assert norms[0] == pytest.approx(norms[1], rel=1e-4) != 0


def test_no_more_is_read_of_a_sentence_than_the_model_can_read(directory: Path) -> None:
    long = LabelledSentence("the cat sat on the mat " * 40, "positive")
    trainer = Trainer(load_directory(directory), TAGGED, [long, *LABELLED], QUICK)
    assert max(len(example.window.input_ids) for example in trainer.tasks[1].examples) == 64
    assert trainer.step().classes is not None


def test_a_backbone_without_segment_embeddings_learns_without_case(directory: Path) -> None:
    backbone = DistilBertConfig(vocab_size=18, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=64)
    base = load_directory(directory)
    other = replace(base, model=MultiTaskModel(MultiTaskConfig(backbone=backbone)).eval())
    trained = train(other, TAGGED, LABELLED, QUICK, lambda *_: None)
    assert not trained.model.can_carry_case
    assert not trained.model.config.casing


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


def test_a_step_in_several_passes_has_the_gradients_of_one(directory: Path) -> None:
    gradients = []
    for n_tokens in (4096, 24):
        settings = TrainingSettings(
            plan=TrainingPlan(("embeddings",), FAST), casing=False, dropout=0.0, tokens_per_pass=n_tokens
        )
        trainer = Trainer(load_directory(directory), TAGGED, LABELLED, settings)
        trainer.model.train()
        for head in (trainer.model.ner_head, trainer.model.classification_head):
            head.dropout.p = 0.0
        for task in trainer.tasks:
            trainer._backward(task)
        gradients.append({name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)


def test_the_best_weights_are_kept_and_the_log_tells_each_measurement(directory: Path, tmp_path: Path) -> None:
    """The measure prefers the weights of step 4; a resumed run knows them as an uninterrupted one does."""
    settings = TrainingSettings(n_steps=8, sentences_per_step=16, plan=FAST_PLAN, interval=2)
    weights: list[torch.Tensor] = []

    class Prefer:
        phrase = "x 0"

        def __init__(self, selection_metric: float) -> None:
            self.selection_metric = selection_metric

        def as_dict(self) -> dict[str, float]:
            return {"selection_metric": self.selection_metric}

    def measure(model: LoadedModel) -> Prefer:
        assert not model.model.training
        weights.append(model.model.ner_head.linear.weight.clone())
        return Prefer(float(len(weights) == 2))

    run_until(7, directory, settings, tmp_path / "out", Asked(measure))
    for other in (None, Asked(measure, "other sentences")):
        with pytest.raises(DataFileError, match="measured on other sentences"):
            run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out", measure=other)
    trained, _ = run(directory, settings, directory=tmp_path / "out", resume=tmp_path / "out", measure=Asked(measure))
    assert torch.equal(trained.model.ner_head.linear.weight, weights[1])
    assert not torch.equal(weights[1], weights[-1])
    rows = [json.loads(line) for line in (tmp_path / "out" / LOG_FILE).read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    assert [row["scores"]["selection_metric"] for row in rows] == [0.0, 1.0, 0.0, 0.0]


def test_measuring_changes_nothing(directory: Path) -> None:
    plain, _ = run(directory, QUICK)
    measured, _ = run(directory, QUICK, measure=ValidationSets(tagged=TAGGED[:4]))
    trainer = Trainer(load_directory(directory), TAGGED, LABELLED, QUICK)
    for _ in range(QUICK.n_steps):
        trainer.step()
        trainer.measure(ValidationSets(labelled=LABELLED[:3]))
    for name, tensor in state(plain).items():
        assert torch.equal(tensor, trainer.model.state_dict()[name]), name
    assert measured.info.trained_heads == plain.info.trained_heads


def test_new_heads_follow_from_the_seed_and_trained_ones_stay(directory: Path) -> None:
    one, other = load_directory(directory), load_directory(directory)
    Trainer(one, TAGGED, LABELLED, QUICK)
    assert not torch.equal(one.model.ner_head.linear.weight, other.model.ner_head.linear.weight)
    other.model.config.trained_heads = ["ner_head"]
    before = other.model.ner_head.linear.weight.clone()
    Trainer(other, TAGGED, LABELLED, QUICK)
    assert torch.equal(other.model.ner_head.linear.weight, before)
    assert torch.equal(other.model.classification_head.linear.weight, one.model.classification_head.linear.weight)


def test_sentences_of_which_nothing_can_be_read_do_no_harm(directory: Path) -> None:
    """Real data has them; a pass of only such sentences must not make the loss no number."""
    nothing = [TaggedSentence(("\u200d", " "), ("O", "O"))] * 40
    trainer = Trainer(
        load_directory(directory), [*nothing, *TAGGED[:2]], LABELLED, TrainingSettings(n_steps=8, tokens_per_pass=8)
    )
    assert {example.n_targets for example in trainer.tasks[0].examples} > {0}
    for _ in range(8):
        losses = trainer.step()
        assert losses.entities is not None and losses.entities == losses.entities
