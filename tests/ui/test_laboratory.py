"""The laboratory's page on the real model, with runs of a few steps."""

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from mtdemo.laboratory import Laboratory, Waiting
from mtdemo.plans import TrainingPlan
from mtdemo.service import ModelService
from mtdemo.ui.laboratory import describe_outcome, name_plan, train

HEADS = json.dumps(TrainingPlan(("backbone", "ner_head")).as_dict())
OWN = "Ada <b>Lovelace</b> lived in London.\n\nI am happy."


@pytest.fixture(scope="module")
def laboratory(service: ModelService) -> Laboratory:
    return Laboratory(service)


def run(laboratory: Laboratory, saved: str = HEADS, backbone: str = "embedded", n_steps: int = 12) -> Iterator[Any]:
    return train(laboratory, "ada", backbone, saved, "Classes only", OWN, n_steps, 8, 13)


def traces(plot: gr.Plot) -> list[dict[str, Any]]:
    return list(json.loads(plot.value["plot"])["data"])


def test_a_run_ends_in_all_that_the_page_shows(laboratory: Laboratory) -> None:
    first, *_, last = run(laboratory)
    assert "<progress" in first[0]
    assert all(output == gr.skip() for output in first[2:])
    status, history, result, moved, sentences, runs, compared, report = last
    assert "<b>Done</b> after 12 of 12 steps" in status
    assert "so every answer is the same, bit for bit" in result
    bar = traces(moved)[0]
    bars = dict(zip(bar["y"], bar["text"], strict=True))
    assert bars["entity head"] == "unchanged, bit for bit"
    assert bars["classification head"] != "unchanged, bit for bit"
    assert [trace["name"] for trace in traces(history)] == ["entities", "entities", "classes", "classes"]
    table = sentences.value
    assert [row[0] for row in table["data"]] == ["Ada <b>Lovelace</b> lived in London.", "I am happy."]
    assert all(row[3] == row[4] for row in table["data"]), "the entity head and the backbone were frozen"
    assert len(runs.value["data"]) == 1
    assert not compared.visible
    assert TrainingPlan.from_dict(json.loads(report)["plan"]) == TrainingPlan.from_dict(json.loads(HEADS))


def test_two_runs_are_compared(laboratory: Laboratory) -> None:
    *_, last = run(laboratory)
    assert last[6].visible
    assert len(traces(last[6])[0]["text"]) == len(laboratory.runs("ada")) > 1


@pytest.mark.parametrize(
    ("saved", "backbone", "n_steps", "words"),
    [
        (HEADS, "bert-base-uncased", 5, "Only the embedded model can be trained here"),
        (HEADS, "embedded", 0, "number of steps must be a whole number"),
        ('{"frozen": ["<b>"]}', "embedded", 5, "There is no part '&lt;b&gt;'"),
        ('{"frozen": ["backbone", "classification_head", "ner_head"]}', "embedded", 5, "Nothing trains"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_in_place_of_the_state(
    laboratory: Laboratory, saved: str, backbone: str, n_steps: int, words: str
) -> None:
    *_, last = run(laboratory, saved, backbone, n_steps)
    assert words in last[0]


def test_waiting_shows_the_place(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laboratory, "conduct", lambda *_, **__: iter([Waiting(3)]))
    monkeypatch.setattr(laboratory, "outcome", lambda _: None)
    (only,) = run(laboratory)
    assert "3 in line" in only[0]


def test_a_frozen_head_that_drifts_is_called_by_its_name(laboratory: Laboratory) -> None:
    *_, last = run(laboratory, json.dumps(TrainingPlan(("ner_head",)).as_dict() | {"learning_rates": {"backbone": 1e-3}}))
    assert "Its head was frozen and its task drifted all the same" in last[2]
    outcome = laboratory.outcome("ada")
    assert outcome is not None
    assert describe_outcome(outcome) == last[2]


def test_plans_have_names() -> None:
    assert name_plan(TrainingPlan()) == "everything trains"
    assert name_plan(TrainingPlan(("embeddings", "layer_0", "ner_head"))) == "frozen: embeddings, layer 1, entity head"
