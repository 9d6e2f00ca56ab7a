"""The laboratory on classifiers of transformers: their counts, a run, and the way back into a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline

from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.experiment import Experiment
from mtdemo.laboratory.outcome import ExperimentSettings
from mtdemo.models.adoption.export import export_head
from mtdemo.models.checkpoints import load_directory, read_config, save_checkpoint
from mtdemo.models.parts import count_parameters
from mtdemo.planning.adapters import extended_parts
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from tests.repositories import make_classifier

pytestmark = pytest.mark.model

CLASSES = ["negative", "neutral", "positive"]
TAGS = ["O", *(f"{prefix}-{kind}" for kind in ("PER", "ORG", "LOC", "MISC") for prefix in "BI")]
MADE = [
    ("Roberta", "ForSequenceClassification", CLASSES, "classification_head", "text-classification"),
    ("DistilBert", "ForSequenceClassification", CLASSES, "classification_head", "text-classification"),
    ("Roberta", "ForTokenClassification", TAGS, "ner_head", "token-classification"),
    ("DistilBert", "ForTokenClassification", TAGS, "ner_head", "token-classification"),
]


def count(model: Any) -> int:
    return sum(weights.numel() for weights in model.parameters())


@pytest.mark.parametrize(("name", "kind", "labels", "head", "task"), MADE)
def test_parts_are_counted_as_transformers_counts_them(
    name: str, kind: str, labels: list[str], head: str, task: str, tmp_path: Path
) -> None:
    directory = make_classifier(tmp_path, name, kind, labels)
    parts = extended_parts(read_config(directory, name), TrainingPlan())
    loader = AutoModelForSequenceClassification if task == "text-classification" else AutoModelForTokenClassification
    theirs: Any = loader.from_pretrained(directory)
    of_backbone = tuple(part for part in parts if part.kind.in_backbone)
    assert count_parameters(of_backbone) == count(theirs.base_model)
    assert sum(part.n_parameters for part in parts if part.name == head) == count(theirs) - count(theirs.base_model)
    layers = [part.n_parameters for part in parts if part.name.startswith("layer_")]
    stack = theirs.base_model.encoder.layer if name == "Roberta" else theirs.base_model.transformer.layer
    assert layers == [count(layer) for layer in stack]
    assert count_parameters(of_backbone) <= count(AutoModel.from_pretrained(directory)), "theirs may add a pooler"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind", "labels", "head", "task"), MADE)
def test_a_run_trains_it_and_its_checkpoint_loads_in_a_pipeline(
    name: str, kind: str, labels: list[str], head: str, task: str, tmp_path: Path
) -> None:
    base = load_directory(make_classifier(tmp_path / "base", name, kind, labels))
    whole = read_sample()
    dataset = LabDataset.from_sample(Sample(whole.train[::6], whole.test[::8]))
    plan = TrainingPlan(("embeddings",), OptimizerSettings(1e-3))
    experiment = Experiment(base, dataset, ExperimentSettings(plan, 2))
    list(experiment.run())
    assert experiment.outcome is not None
    assert experiment.trained is not None
    assert experiment.outcome.movement["embeddings"] == 0.0
    assert experiment.outcome.movement[head] > 0.0
    assert experiment.outcome.movement["layer_0"] > 0.0
    save_checkpoint(experiment.trained, tmp_path / "ours")
    saved = load_directory(tmp_path / "ours")
    export_head(saved, head, tmp_path / "theirs")
    asked = pipeline(task, model=str(tmp_path / "theirs"), device="cpu")
    (answer, *_) = asked("john sat on the mat")
    assert answer.get("label", answer.get("entity")) in labels
