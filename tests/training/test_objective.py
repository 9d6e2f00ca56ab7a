"""Objective: losses and gradients of a step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.distillation import Teacher
from mtdemo.training.losses import class_disagreement, embedding_drift
from mtdemo.training.preparation import prepare
from mtdemo.training.settings import TrainingSettings
from tests.training.runs import FAST, FAST_PLAN, LABELLED, QUICK, TAGGED, make_trainer


def test_smoothed_targets_give_the_loss_against_a_spread_distribution(directory: Path) -> None:
    base = load_directory(directory)
    trainer = make_trainer(base, TAGGED, LABELLED[:1], replace(QUICK, label_smoothing=0.3, sentences_per_step=2))
    task = trainer.prepared.objective.tasks[1]
    output = base.model.eval()(input_ids=torch.tensor([task.examples[0].window.input_ids]))
    log_probabilities = output.classification_logits.log_softmax(dim=-1)[0]
    targets = torch.full((3,), 0.1)
    targets[base.info.class_labels.index("positive")] = 0.8
    (loss,) = task.loss(output, task.examples[:1]).values()
    torch.testing.assert_close(loss, -(targets * log_probabilities).sum())


@pytest.mark.lab
@pytest.mark.lab
def test_distillation_keeps_embeddings_where_training_without_it_loses_them(directory: Path) -> None:
    drifts = {}
    for weight in (0.0, 30.0):
        settings = TrainingSettings(n_steps=20, sentences_per_step=16, plan=FAST_PLAN, distillation_weight=weight)
        trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, settings)
        for _ in range(settings.n_steps):
            losses = trainer.step()
        assert (losses.drift is None) == (weight == 0), "it is not measured where it is not used"
        trainer.model.eval()
        indices = range(len(TAGGED))
        inputs = trainer.prepared.loaded.pad([example.window for example in trainer.prepared.objective.tasks[0].examples])
        with torch.no_grad():
            embeddings = trainer.model(**inputs).sentence_embedding
        teacher = Teacher.of_embeddings(
            load_directory(directory), [e.window for e in trainer.prepared.objective.tasks[0].examples]
        )
        drifts[weight] = embedding_drift(embeddings, teacher[indices]).item()
    assert drifts[30.0] < drifts[0.0] / 2


def test_a_teacher_of_classes_is_followed_by_the_sentences_of_both_tasks(directory: Path, teacher: LoadedModel) -> None:
    disagreements = {}
    for weight in (0.0, 5.0):
        settings = replace(QUICK, n_steps=25, task_weights=(1.0, 0.0), teacher_weight=weight)
        trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, settings, [teacher])
        for _ in range(settings.n_steps):
            losses = trainer.step()
        assert (losses.disagreement is None) == (weight == 0), "it is not measured where it is not used"
        assert losses.classes is not None, "both kinds of sentences are read, also where one task has no weight"
        trainer.model.eval()
        examples = [example for task in trainer.prepared.objective.tasks for example in task.examples]
        inputs = trainer.prepared.loaded.pad([example.window for example in examples])
        with torch.no_grad():
            logits = trainer.model(**inputs).classification_logits
        said = Teacher.of_classes([teacher], [s.text for s in (*TAGGED, *LABELLED)], teacher.info.class_labels, 128)
        disagreements[weight] = class_disagreement(logits, said[range(len(examples))]).item()
    assert disagreements[5.0] < disagreements[0.0] / 5


def test_a_teacher_is_read_without_the_noise_that_its_pupil_reads(directory: Path, teacher: LoadedModel) -> None:
    settings = replace(QUICK, word_dropout=0.5, case_noise=0.5)
    trainer = make_trainer(load_directory(directory), TAGGED, LABELLED, settings, [teacher])
    trainer.step()
    known = trainer.prepared.objective.terms["disagreement"].teacher.known.nonzero().flatten()
    texts = [sentence.text for sentence in (*TAGGED, *LABELLED)]
    alone = analyze_batches(teacher, [texts[index] for index in known], max_length=64)
    for index, analysis in zip(known, alone, strict=True):
        said = trainer.prepared.objective.terms["disagreement"].teacher[[int(index)]][0]
        torch.testing.assert_close(said, torch.tensor([*analysis.probabilities.values()]), atol=1e-3, rtol=0)


def test_distillation_weighs_the_same_for_one_task_as_for_two(directory: Path) -> None:
    """The gradient of keeping embeddings, of the same sentences as one task and as two."""
    texts = ["the cat sat", "Paris sings on the mat", "John sat"]
    labelled = [LabelledSentence(text, "positive") for text in texts]
    tagged = [TaggedSentence(tuple(text.split()), ("O",) * len(text.split())) for text in texts]
    settings = replace(QUICK, task_weights=(0.0, 0.0), dropout=0.0, casing=False, max_gradient_norm=1e9)
    norms = []
    for of_entities, n_sentences in (([], 3), (tagged, 6)):
        trainer = make_trainer(
            load_directory(directory), of_entities, labelled, replace(settings, sentences_per_step=n_sentences)
        )
        bias = trainer.model.backbone.encoder.layer[0].output.dense.bias
        with torch.no_grad():
            bias[0] += 1  # what has not drifted has no gradient
        trainer.step()
        norms.append(bias.grad.norm().item())
    assert norms[0] == pytest.approx(norms[1], rel=1e-4) != 0


def test_a_step_in_several_passes_has_the_gradients_of_one(directory: Path) -> None:
    gradients = []
    for n_tokens in (4096, 24):
        settings = TrainingSettings(
            plan=TrainingPlan(("embeddings",), FAST), casing=False, dropout=0.0, tokens_per_pass=n_tokens
        )
        prepared = prepare(load_directory(directory), TAGGED, LABELLED, settings)
        model = prepared.loaded.model.train()
        for head in (model.ner_head, model.classification_head):
            head.dropout.p = 0.0
        prepared.objective.backward(0)
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)


@pytest.mark.lab
def test_sentences_of_which_nothing_can_be_read_do_no_harm(directory: Path) -> None:
    """Real data has them; a pass of only such sentences must not make the loss no number."""
    nothing = [TaggedSentence(("\u200d", " "), ("O", "O"))] * 40
    trainer = make_trainer(
        load_directory(directory),
        [*nothing, *TAGGED[:2]],
        LABELLED,
        TrainingSettings(n_steps=3, sentences_per_step=16, tokens_per_pass=8),
    )
    assert {example.n_targets for example in trainer.prepared.objective.tasks[0].examples} > {0}
    for _ in range(3):
        losses = trainer.step()
        assert losses.entities is not None and losses.entities == losses.entities
