"""Who may run when: places, lines, stops, and that nobody sees another's run."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.errors import LaboratoryError, PlanError
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.laboratory.run_store import name_owner
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.serving.service import ModelService
from tests.conftest import tiny_config

HEADS_ONLY = TrainingPlan(("backbone",))
WHOLE = read_sample()
FEW = LabDataset.from_sample(Sample(WHOLE.train[:12], WHOLE.test[:6]))


@pytest.fixture(scope="module")
def small(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> ModelService:
    """A service whose runs take a moment: for everything that is not about what is learned."""
    config = tiny_config(trained_heads=["classification_head", "ner_head"])
    return ModelService(Settings(checkpoint=str(checkpoints(config, 0))))


def begin(laboratory: Laboratory, visitor: str, n_steps: int = 3) -> Iterator[object]:
    return laboratory.run(visitor, HEADS_ONLY, "heads", FEW, n_steps=n_steps)


def test_a_run_leaves_an_outcome_and_a_row_to_compare(service: ModelService) -> None:
    laboratory = Laboratory(service)
    list(begin(laboratory, "ada"))
    (run,) = laboratory.runs("ada")
    assert (run.number, run.title, run.plan) == (1, "heads", HEADS_ONLY)
    assert run.n_trainable == 150_920
    outcome = laboratory.outcome("ada")
    assert outcome is not None
    assert run.report.items() >= outcome.as_dict().items()
    assert run.report["settings"]["seed"] == 13
    assert run.report["learned_from"] == FEW.phrase


def test_pages_that_the_server_forgot_are_not_one_visitor(small: ModelService) -> None:
    laboratory = Laboratory(small)
    for ask in (lambda: next(begin(laboratory, "")), lambda: laboratory.trained("")[1]):
        with pytest.raises(LaboratoryError, match="left alone for too long"):
            ask()
    assert laboratory.runs("") == ()


def test_a_run_can_be_tried_again_from_what_is_told_of_it(small: ModelService) -> None:
    laboratory = Laboratory(small)
    list(laboratory.run("ada", TrainingPlan(("embeddings",)), "a", FEW, n_steps=3, sentences_per_step=6, seed=5))
    (first,) = laboratory.runs("ada")
    told = {**first.report["settings"], "task_weights": tuple(first.report["settings"]["task_weights"].values())}
    list(laboratory.run("ada", first.plan, "b", FEW, **told))
    _, second = laboratory.runs("ada")
    assert second.report["movement"] == first.report["movement"]


def test_nobody_sees_anothers_runs_and_stops_only_ones_own(small: ModelService) -> None:
    laboratory = Laboratory(small)
    ada, bob = begin(laboratory, "ada", 50), begin(laboratory, "bob", 5)
    next(ada), next(bob), next(ada), next(bob)
    laboratory.stop("bob")
    laboratory.stop("nobody")
    rest = list(bob)
    assert len(rest) == 1
    assert laboratory.runs("bob")[0].report["ending"] == "stopped"
    assert laboratory.runs("ada") == ()
    assert len(list(ada)) > 40
    assert laboratory.runs("ada")[0].report["ending"] == "done"
    assert len(laboratory.runs("bob")) == 1


def test_the_served_answers_stay_the_same_while_two_others_train_different_plans(service: ModelService) -> None:
    sentences = ["John lives in Paris.", "I love this!"]
    before = [answer.as_dict() for answer in service.analyze(sentences)]
    laboratory = Laboratory(service)
    plans = {"ada": TrainingPlan(("ner_head",)), "bob": HEADS_ONLY}

    def train(name: str) -> None:
        list(laboratory.run(name, plans[name], name, FEW, n_steps=8, sentences_per_step=4))

    threads = [threading.Thread(target=train, args=(name,)) for name in plans]
    for thread in threads:
        thread.start()
    n_targets = 0
    while any(thread.is_alive() for thread in threads):  # of another length limit each time, so none is from the cache
        answers = service.analyze(sentences, max_length=20 + n_targets % 100)
        assert [answer.as_dict() for answer in answers] == before
        n_targets += 1
        time.sleep(0.1)  # answers without a pause would hold the interpreter and starve the training
    assert n_targets > 1
    for name, plan in plans.items():
        (run,) = laboratory.runs(name)
        assert (run.title, run.plan, run.report["ending"]) == (name, plan, "done")
    assert laboratory.runs("ada")[0].report["movement"]["layer_0"] > 0
    assert laboratory.runs("bob")[0].report["movement"]["layer_0"] == 0


def test_one_visitor_has_one_run(small: ModelService) -> None:
    laboratory = Laboratory(small)
    run = begin(laboratory, "ada")
    next(run)
    with pytest.raises(LaboratoryError, match="going on already"):
        next(begin(laboratory, "ada"))
    list(run)
    list(begin(laboratory, "ada"))
    assert [each.number for each in laboratory.runs("ada")] == [1, 2]


def test_runs_wait_in_line_and_see_their_place(small: ModelService) -> None:
    laboratory = Laboratory(small, max_running=1, max_waiting=2)
    first, second, third = (begin(laboratory, name) for name in ("a", "b", "c"))
    next(first)
    assert next(second) == Waiting(1)
    assert next(third) == Waiting(2)
    with pytest.raises(LaboratoryError, match="2 runs are waiting already"):
        next(begin(laboratory, "d"))
    list(first)
    assert next(third) == Waiting(2)
    assert not isinstance(next(second), Waiting)
    assert next(third) == Waiting(1)
    second.close()  # type: ignore[attr-defined]
    assert not isinstance(next(third), Waiting)


def test_a_closed_tab_frees_its_place_in_the_line_and_in_the_room(small: ModelService) -> None:
    laboratory = Laboratory(small, max_running=1)
    running, waiting = begin(laboratory, "a"), begin(laboratory, "b")
    next(running)
    assert next(waiting) == Waiting(1)
    waiting.close()  # type: ignore[attr-defined]
    running.close()  # type: ignore[attr-defined]
    assert not isinstance(next(begin(laboratory, "a")), Waiting)
    assert laboratory.runs("a") == ()


def test_what_cannot_run_takes_no_place(small: ModelService) -> None:
    laboratory = Laboratory(small, max_running=1)
    nothing = TrainingPlan(("backbone", "classification_head", "ner_head"))
    with pytest.raises(PlanError, match="Nothing trains"):
        list(laboratory.run("a", nothing, "none", FEW))
    with pytest.raises(PlanError, match="number of steps"):
        list(begin(laboratory, "a", 0))
    list(begin(laboratory, "a"))


def test_forgetting_stops_and_drops(small: ModelService) -> None:
    laboratory = Laboratory(small)
    list(begin(laboratory, "a"))
    run = begin(laboratory, "a", 500)
    next(run)
    laboratory.forget("a")
    assert len(list(run)) == 1
    assert laboratory.outcome("a") is None
    assert laboratory.runs("a") == ()


def test_what_a_closed_page_had_trained_answers_no_more_and_is_not_given_to_its_next_visit(small: ModelService) -> None:
    laboratory = Laboratory(small)
    list(begin(laboratory, "a", 1))
    run, trained = laboratory.trained("a")
    assert run.number == 1
    name = small.register(trained, "run 1", name_owner("a", 1))
    late = begin(laboratory, "a", 500)
    next(late)
    laboratory.forget("a")
    assert small.loaded(name) is None
    again = begin(laboratory, "a", 1)
    next(again)
    list(late)
    with pytest.raises(LaboratoryError, match="none was trained yet"):
        laboratory.trained("a")
    list(again)
    assert laboratory.trained("a")[0] is laboratory.runs("a")[0]


def test_results_are_bounded(small: ModelService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.laboratory.run_store.MAX_VISITORS", 2)
    monkeypatch.setattr("mtdemo.laboratory.run_store.MAX_RUNS_KEPT", 2)
    laboratory = Laboratory(small)
    for visitor in ("a", "a", "a", "b", "c"):
        list(begin(laboratory, visitor, 1))
    assert laboratory.runs("a") == ()
    assert len(laboratory.runs("b")) == len(laboratory.runs("c")) == 1
    for _ in range(2):
        list(begin(laboratory, "c", 1))
    assert [run.number for run in laboratory.runs("c")] == [2, 3]


def test_two_visitors_in_two_threads_both_end(small: ModelService) -> None:
    laboratory = Laboratory(small)
    threads = [threading.Thread(target=lambda name=name: list(begin(laboratory, name, 4))) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(laboratory.runs(name)) == 1 for name in ("a", "b", "c"))


def test_a_run_in_line_can_be_given_up(small: ModelService) -> None:
    laboratory = Laboratory(small, max_running=1)
    running, waiting = begin(laboratory, "a"), begin(laboratory, "b")
    next(running)
    assert next(waiting) == Waiting(1)
    laboratory.stop("b")
    assert list(waiting) == []
    list(running)
    assert laboratory.runs("b") == ()
    assert not isinstance(next(begin(laboratory, "b")), Waiting)


def test_trained_models_are_kept_while_there_is_room(small: ModelService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.laboratory.run_store.MAX_TRAINED_BYTES", 1)
    laboratory = Laboratory(small)
    with pytest.raises(LaboratoryError, match="none was trained yet"):
        laboratory.trained("a")
    list(begin(laboratory, "a", 1))
    assert laboratory.trained("a")[1].model is not small.get_model().model
    assert laboratory.has_weights("a", 1)
    list(begin(laboratory, "b", 1))
    with pytest.raises(LaboratoryError, match="weights of run 1 are gone"):
        laboratory.trained("a")
    assert not laboratory.has_weights("a", 1)
    assert laboratory.runs("a"), "its numbers stay"
    laboratory.forget("b")
    with pytest.raises(LaboratoryError):
        laboratory.trained("b")


def test_any_run_can_be_had_not_only_the_last(small: ModelService) -> None:
    laboratory = Laboratory(small)
    for n_steps in (1, 3):
        list(begin(laboratory, "a", n_steps))
    for number, n_steps in ((1, 1), (2, 3)):
        run, trained = laboratory.trained("a", number)
        outcome = laboratory.outcome("a", number)
        assert outcome is not None
        assert (run.number, run.report["n_steps"], outcome.snapshots[-1].n_done) == (number, n_steps, n_steps)
        assert trained.model is not laboratory.trained("a", 3 - number)[1].model
    assert laboratory.trained("a")[0].number == 2
    with pytest.raises(LaboratoryError, match="no such run"):
        laboratory.trained("a", 3)


def test_what_did_not_train_takes_no_memory_twice(small: ModelService) -> None:
    laboratory = Laboratory(small)
    list(begin(laboratory, "a", 2))
    served, trained = small.get_model().model, laboratory.trained("a")[1].model
    for name, parameter in trained.named_parameters():
        is_same = parameter.data_ptr() == served.get_parameter(name).data_ptr()
        assert is_same == name.startswith("backbone."), name


def test_a_page_that_is_loaded_again_finds_its_runs_and_one_that_stays_away_is_forgotten(
    small: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory = Laboratory(small)
    laboratory.enter("ada", "page 1")
    list(laboratory.run("ada", HEADS_ONLY, "heads", FEW, "page 1", n_steps=1))
    laboratory.leave("page 1")
    laboratory.enter("ada", "page 2")
    assert laboratory.trained("ada")[0].number == 1
    monkeypatch.setattr("mtdemo.laboratory.run_queue.KEPT_AFTER_LEAVING_S", -1.0)
    laboratory.leave("page 1")
    assert laboratory.runs("ada"), "a page is open"
    laboratory.leave("page 2")
    assert laboratory.runs("ada") == ()


def test_a_closed_page_ends_its_own_run_and_no_other(small: ModelService) -> None:
    laboratory = Laboratory(small)
    laboratory.enter("ada", "page 1")
    laboratory.enter("ada", "page 2")
    run = laboratory.run("ada", HEADS_ONLY, "heads", FEW, "page 1", n_steps=500)
    next(run)
    laboratory.leave("page 2")
    assert next(run) and laboratory.is_active("ada")
    laboratory.leave("page 1")
    assert len(list(run)) == 1
    assert not laboratory.is_active("ada")


def test_numbers_come_back_from_the_browser_to_a_server_that_lost_them(small: ModelService) -> None:
    first, second = Laboratory(small), Laboratory(small)
    list(begin(first, "ada", 2))
    (run,) = first.runs("ada")
    kept = json.loads(json.dumps([run.as_dict()]))
    assert "changed_answers" not in kept[0]["report"], "sentences are no numbers"
    second.enter("ada", "page", kept)
    (again,) = second.runs("ada")
    assert (again.number, again.title, again.plan, again.n_trainable) == (1, run.title, run.plan, run.n_trainable)
    assert again.report["history"][-1] == run.report["history"][-1]
    assert second.outcome("ada", 1) is None and not second.has_weights("ada", 1)
    with pytest.raises(LaboratoryError, match="weights of run 1 are gone"):
        second.trained("ada", 1)
    list(begin(second, "ada", 1))
    assert [each.number for each in second.runs("ada")] == [1, 2]
    second.enter("ada", "page", kept)
    assert len(second.runs("ada")) == 2, "what the server knows counts for more"


@pytest.mark.parametrize("kept", [["x"], [{}], [{"number": 1}], [None], [{"report": {"history": []}}]])
def test_what_a_browser_kept_is_checked(small: ModelService, kept: list[object]) -> None:
    laboratory = Laboratory(small)
    with pytest.raises(LaboratoryError, match="left out"):
        laboratory.enter("ada", "page", kept)
    list(begin(laboratory, "ada", 1))
    assert len(laboratory.runs("ada")) == 1
