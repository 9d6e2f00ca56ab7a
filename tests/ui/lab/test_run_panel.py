"""The laboratory's page on the real model, with runs of a few steps."""

import csv
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch

from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.models.checkpoints import load_directory
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.serving.service import ModelService
from mtdemo.ui.lab.run_actions import answer, check, choose, compare_runs, free, pack_chosen, use_served, use_trained
from mtdemo.ui.lab.run_controls import describe_file
from mtdemo.ui.lab.run_panel import describe_trained_model, open_in, read_visit
from mtdemo.ui.lab.run_view import describe_outcome
from tests.ui.conftest import INFO, FakeService
from tests.ui.lab.conftest import RunForm

HEADS = json.dumps(TrainingPlan(("backbone", "ner_head")).as_dict())
OWN = "Ada <b>Lovelace</b> lived in London.\n\nI am happy."


@pytest.fixture(scope="module")
def laboratory(service: ModelService) -> Iterator[Laboratory]:
    """A laboratory whose runs learn a quarter of the sample and are measured on a third."""
    whole = read_sample()
    few = LabDataset.from_sample(Sample(whole.train[::4], whole.test[::3]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtdemo.laboratory.run_queue.read_dataset", lambda: few)
        yield Laboratory(service)


def run(laboratory: Laboratory, saved: str = HEADS, **said: Any) -> Iterator[dict[str, Any]]:
    settings = {"tasks": "Classes only", "own": OWN, "keep": None, "n_steps": 12, "n_sentences": 8, "seed": 13}
    return RunForm(laboratory).train(saved=saved, **settings | said)


def traces(plot: gr.Plot) -> list[dict[str, Any]]:
    return list(json.loads(plot.value["plot"])["data"])


def test_a_run_ends_in_all_that_the_page_shows(laboratory: Laboratory) -> None:
    begun, first, *_, last = run(laboratory)
    assert "Getting ready" in begun.pop("status")
    assert {name: output.visible for name, output in begun.items()} == {"history": False}
    assert 'role="progressbar"' in first["status"]
    assert set(first) == {"status", "history"}
    assert "<b>Done</b> after 12 of 12 steps" in last["status"]
    assert "so every answer is the same, bit for bit" in last["result"]
    bar = traces(last["moved"])[0]
    bars = dict(zip(bar["y"], bar["text"], strict=True))
    assert bars["entity head"] == "unchanged, bit for bit"
    assert bars["classification head"] != "unchanged, bit for bit"
    assert [trace["name"] for trace in traces(last["history"])] == ["entities", "entities", "classes", "classes"]
    table = last["sentences"].value
    assert [row[0] for row in table["data"]] == ["Ada <b>Lovelace</b> lived in London.", "I am happy."]
    assert all("(as before)" in row[2] for row in table["data"]), "the entity head and the backbone were frozen"
    assert len(last["runs"]) == 1
    assert last["chosen"].choices == [("1: frozen: backbone, entity head; classes only", 1)]
    assert "<b>Freeze receipt:</b> 22,568,069 of 22,568,069 parameters were frozen as asked" in last["details"]
    assert "Sentences that changed" in last["details"] and "bit for bit" in last["details"]
    assert "fewer than 30 sentences are too few" in last["details"] and "too few to conclude" in last["few"]
    assert [run["number"] for run in json.loads(last["kept"])["runs"]] == [1]
    assert last["finished"].visible
    assert not last["download"].visible, "what was packed before is another run"
    assert [list(trace.text) for trace in last["compared"].data] == [["1"], ["1"]]
    assert TrainingPlan.from_dict(json.loads(last["report"])["plan"]) == TrainingPlan.from_dict(json.loads(HEADS))


def test_two_runs_are_compared(laboratory: Laboratory) -> None:
    for _ in range(2):
        *_, last = run(laboratory)
    assert len(last["compared"].data[0].text) == len(laboratory.runs("ada")) > 1
    for by, cost in (
        ("trainable parameters", 148_995),
        ("seconds of its steps", laboratory.runs("ada")[-1].report["training_seconds"]),
    ):
        figure = compare_runs(laboratory, "ada", by)
        assert figure.data[0].x[-1] == cost
        low, high = figure.layout.xaxis.range
        assert low < 0 < cost < high, "one run alone must not have an axis of a few parameters"


def test_the_last_run_is_packed_and_loads(laboratory: Laboratory, service: ModelService, tmp_path: Path) -> None:
    list(run(laboratory))
    button = pack_chosen(service, laboratory, str(tmp_path), "ada", None)
    assert button.label.startswith("Download run-")
    with zipfile.ZipFile(button.value["path"] if isinstance(button.value, dict) else button.value) as archive:
        archive.extractall(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["movement"]["ner_head"] == 0.0
    assert (
        TrainingPlan.from_dict(json.loads((tmp_path / "run" / "plan.json").read_text())) == laboratory.runs("ada")[-1].plan
    )
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert [int(row["step"]) for row in rows] == [*range(13)]
    assert len(list(csv.DictReader((tmp_path / "run" / "runs.csv").open()))) == len(laboratory.runs("ada"))
    loaded = load_directory(tmp_path / "run" / "checkpoint")
    trained = laboratory.trained("ada")[1].model.state_dict()
    for name, tensor in loaded.model.state_dict().items():
        torch.testing.assert_close(tensor, trained[name], atol=1e-3, rtol=1e-3)
    with pytest.raises(gr.Error, match="none was trained yet"):
        pack_chosen(service, laboratory, str(tmp_path), "nobody", 1)


def test_a_trained_copy_answers_this_visitor_in_the_other_tabs(laboratory: Laboratory, service: ModelService) -> None:
    list(run(laboratory, n_steps=20))
    sentences = ["What a day!"]
    before = service.analyze(sentences).sentences[0]
    name, status, told, _ = use_trained(service, laboratory, "ada", None)
    assert "of your laboratory" in status and "answers in the other tabs now" in told
    other, *_ = use_trained(service, laboratory, "ada", 1)
    assert other != name, "so that the tabs see that another run is to answer"
    mine = service.analyze(sentences, model=name)
    assert mine.model.id.endswith("of your laboratory")
    assert dict(mine.sentences[0].probabilities) != dict(before.probabilities)
    assert service.analyze(sentences).sentences[0].as_dict() == before.as_dict()
    assert use_served(service)[0] is None


def test_any_run_is_shown_again(laboratory: Laboratory) -> None:
    form = RunForm(laboratory)
    for n_steps in (2, 4):
        list(run(laboratory, n_steps=n_steps))
    first, last = (laboratory.runs("ada")[place] for place in (0, -1))
    for each in (first, last):
        values = {form.controls.visitor: "ada", form.view.chosen: each.number}
        shown = form.by_name(choose(form.bench, values))
        assert json.loads(shown["report"])["n_steps"] == each.report["n_steps"]
        assert "Freeze receipt" in shown["details"]
    assert choose(form.bench, {form.controls.visitor: "ada", form.view.chosen: 99}) == {}


def test_runs_come_back_after_a_reload_and_what_is_lost_is_told(laboratory: Laboratory, service: ModelService) -> None:
    *_, last = run(laboratory, n_steps=2)
    kept = json.loads(last["kept"])
    request = SimpleNamespace(session_hash="page 2")
    for there in (laboratory, Laboratory(service)):
        form = RunForm(there)
        outputs = [form.controls.visitor, form.controls.session, form.bench.kept, *form.view.outputs]
        open_page = open_in(form.bench, outputs)
        name, session, stored, *_ = open_page(json.dumps({**kept, "visitor": "x" * 22}), request)
        assert (name, session) == ("x" * 22, "page 2")
        assert [each.number for each in there.runs(name)] == [each["number"] for each in kept["runs"]]
        assert json.loads(stored)["visitor"] == name
        shown = form.by_name(form.bench.show_all(name, form.view.by.value))
        assert set(shown["runs"]["weights"]) == {"gone"}
        assert "only the numbers are left" in shown["result"]


@pytest.mark.parametrize(
    "stored", ["", "nonsense", "3", "[]", '{"visitor": "short", "runs": []}', '{"visitor": {}, "runs": 1}']
)
def test_who_is_unknown_gets_a_name_that_nobody_can_guess(stored: str) -> None:
    (one, no_runs), (other, _) = read_visit(stored), read_visit(stored)
    assert one != other and len(one) == len(other) == 22 and no_runs == []


@pytest.mark.parametrize(
    ("saved", "backbone", "can_run"),
    [
        (HEADS, "embedded", True),
        (HEADS, "bert-base-uncased", False),
        ("", "embedded", False),
        ('{"frozen": ["backbone", "classification_head", "ner_head"]}', "embedded", False),
        ('{"frozen": ["tail"]}', "embedded", False),
    ],
)
def test_training_can_be_asked_for_only_where_it_can_begin(
    laboratory: Laboratory, saved: str, backbone: str, can_run: bool
) -> None:
    form = RunForm(laboratory)
    values = form.values(saved=saved, backbone=backbone)
    words, button = check(form.bench, values)
    assert button.interactive == can_run
    assert bool(words) == (not can_run or "ner_head" in saved)
    assert free(form.bench, values)[form.bench.start].interactive == can_run


def test_nothing_else_can_begin_while_a_run_goes_on(laboratory: Laboratory) -> None:
    form, training = RunForm(laboratory), run(laboratory, n_steps=20)
    next(training), next(training)
    assert not check(form.bench, form.values(saved=HEADS))[1].interactive
    training.close()  # type: ignore[attr-defined]
    assert check(form.bench, form.values(saved=HEADS))[1].interactive


def test_an_experiment_is_shown_as_it_goes_on_and_leaves_its_runs(laboratory: Laboratory) -> None:
    form = RunForm(laboratory)
    card = form.bench.questions.find("protection")
    n_before = len(laboratory.runs("ada"))
    quick = replace(card.question, n_steps=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form.bench.questions.__class__, "find", lambda self, name: replace(card, question=quick))
        patch.setattr("mtdemo.ui.lab.question_panel._REFRESH_S", 0.0)
        shown = list(answer(form.bench, "protection", form.values()))
    assert shown[0][card.stop].visible and not shown[-1][card.stop].visible
    cards = [updates[card.shown] for updates in shown if card.shown in updates]
    assert 'aria-valuenow="0"' in cards[0] and "Run 1 of 2" in cards[0]
    assert "Run 2 of 2" in cards[-2]
    assert "24 sentences are too few to conclude." in cards[-1]
    assert "every answer stayed the same, bit for bit" in cards[-1] and "progressbar" not in cards[-1]
    assert len(laboratory.runs("ada")) == n_before + 2 == len(json.loads(shown[-1][form.bench.kept])["runs"])


def test_a_file_of_ones_own_is_learned(laboratory: Laboratory, service: ModelService, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "\n".join(f"day {n},{'positive' if n % 2 else 'negative'}" for n in range(20)))
    told = describe_file(service, str(path)).value
    assert "15 with a class to learn from" in told and "5 are too few to conclude anything" in told
    *_, last = run(laboratory, file=str(path))
    assert "<b>Done</b>" in last["status"]
    path.write_text("text,label\n" + "day,neutral\n" * 11 + "day,[![](http://x.y/z.png)]\n")
    told = describe_file(service, str(path)).value
    assert "mine.csv, line 13" in told.replace("&#40;", "(") and "[" not in told, "as text"
    path.write_text("text,label\n" + "day,happy\n" * 12)
    *_, last = run(laboratory, file=str(path))
    assert "mine.csv, line " in last["status"] and "happy" in last["status"]
    path.write_text("text,label\nday\n")
    assert describe_file(service, str(path)).value.endswith(
        "mine.csv, line 2: a row must have a text and a label, but this one has 1 of 2 cells."
    )
    assert not describe_file(service, None).visible


@pytest.mark.parametrize(
    ("saved", "backbone", "n_steps", "words"),
    [
        (HEADS, "bert-base-uncased", 5, "Only the embedded model can be trained here"),
        (HEADS, "embedded", 0, "number of steps must be a whole number"),
        (HEADS, "embedded", None, "one of these fields is empty"),
        ("", "embedded", 5, "There is no plan that can be trained"),
        ('{"frozen": ["<b>"]}', "embedded", 5, "There is no part '&lt;b&gt;'"),
        ('{"frozen": ["backbone", "classification_head", "ner_head"]}', "embedded", 5, "Nothing trains"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_in_place_of_the_state(
    laboratory: Laboratory, saved: str, backbone: str, n_steps: int | None, words: str
) -> None:
    *_, last = run(laboratory, saved, backbone=backbone, n_steps=n_steps)
    assert words in last["status"]


@pytest.mark.parametrize(
    ("own", "words"), [("x" * 1_001, "Sentence 1: It has 1,001 characters"), ("x\n" * 11, "11 sentences of your own")]
)
def test_own_sentences_are_bounded_and_that_is_told(laboratory: Laboratory, own: str, words: str) -> None:
    _, only = run(laboratory, own=own, n_steps=5)
    assert words in only["status"]


def test_waiting_shows_the_place(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laboratory, "run", lambda *_, **__: iter([Waiting(3)]))
    monkeypatch.setattr(laboratory, "outcome", lambda _: None)
    _, waiting, left = run(laboratory)
    assert "3 in line" in waiting["status"]
    assert "nothing was trained" in left["status"]


def test_a_frozen_head_that_drifts_is_called_by_its_name(laboratory: Laboratory) -> None:
    fast = TrainingPlan(("ner_head",)).as_dict() | {"learning_rates": {"backbone": 1e-3}}
    *_, last = run(laboratory, json.dumps(fast), n_steps=6)
    assert "Its head was frozen and its task drifted all the same" in last["result"]
    outcome = laboratory.outcome("ada")
    assert outcome is not None
    plan = TrainingPlan(("ner_head",))
    assert describe_outcome(outcome, plan) == last["result"]
    assert "Its head did not learn in this run and" in describe_outcome(outcome, TrainingPlan())


def test_a_new_output_layer_is_measured(laboratory: Laboratory) -> None:
    frozen = ("backbone", "classification_head", "ner_head")
    *_, last = run(laboratory, json.dumps(TrainingPlan(frozen, new_output_layer=True).as_dict()))
    assert "New output layer: macro-F1" in last["result"] and "(untrained)" in last["result"]


def test_who_sees_models_put_together_is_told_which_one_trains() -> None:
    assert describe_trained_model(FakeService(), None) == ""
    together = FakeService(replace(INFO, id="embedded+a/b+embedded", sources=("embedded", "a/b", "embedded")))
    told = describe_trained_model(together, None)
    assert "no single backbone to train" in told
    assert "`mtdemo train --base a/b`" in told
