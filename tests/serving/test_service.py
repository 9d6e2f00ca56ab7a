import copy
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtdemo.config import Settings
from mtdemo.errors import EmptyInputError, InputError, TooMuchInputError
from mtdemo.inference import forward as inference
from mtdemo.results import SentenceAnalysis
from mtdemo.serving.service import ModelService
from tests.app_process import ROOT

Write = Callable[..., Path]


@pytest.fixture
def small(tiny: Write) -> ModelService:
    return ModelService(Settings(checkpoint=str(tiny()), max_length=32))


def test_three_questions_about_one_sentence_cost_one_pass(fresh: ModelService) -> None:
    (answer,) = fresh.analyze(["John lives in Paris."])
    assert {"embedding", "label", "entities"} <= answer.as_dict().keys()
    for question in (fresh.analyze, fresh.similarity):
        question(["John lives in Paris."])
    assert fresh.n_forward_passes == 1


def test_only_what_is_missing_is_computed(small: ModelService) -> None:
    small.analyze(["the cat", "the mat"])
    small.analyze(["the mat", "the cat sat", "the cat"])
    assert small.n_forward_passes == 2
    small.analyze(["the cat sat"])
    assert small.n_forward_passes == 2


def test_a_repeated_sentence_is_computed_once_and_given_every_time(small: ModelService) -> None:
    answers = small.analyze(["the cat"] * 3 + ["the mat"]).sentences
    assert small.n_forward_passes == 1
    assert answers[0] is answers[1] is answers[2]
    assert [a.text for a in answers] == ["the cat"] * 3 + ["the mat"]


def test_the_length_limit_is_part_of_the_cache_key(small: ModelService) -> None:
    text = "the cat sat on the mat " * 5
    assert small.analyze([text], max_length=16).sentences[0].n_truncated == 16
    assert small.analyze([text], max_length=32).sentences[0].n_truncated == 0
    assert small.analyze([text], max_length=10_000).sentences[0].n_truncated == 0, "at most what the model can"


@pytest.mark.parametrize("max_length", [0, 1, 7, -5])
def test_a_limit_that_leaves_nothing_to_read_is_refused(small: ModelService, max_length: int) -> None:
    with pytest.raises(InputError, match="at least 8"):
        small.analyze(["the cat"], max_length=max_length)


def test_the_cache_is_bounded(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), max_cache_bytes=0))
    service.analyze(["the cat"])
    service.analyze(["the cat"])
    assert service.n_forward_passes == 2


def test_results_cannot_be_changed_by_whoever_gets_them(small: ModelService) -> None:
    (answer,) = small.analyze(["the cat"])
    with pytest.raises(FrozenInstanceError):
        answer.text = "x"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        answer.embedding[0] = 1
    with pytest.raises(TypeError):
        answer.probabilities["negative"] = 1  # type: ignore[index]


def test_results_can_be_sent_to_another_process(small: ModelService) -> None:
    result = small.similarity(["the cat", "john sat"])
    for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):  # noqa: S301
        assert other == result
        assert other.as_dict() == result.as_dict()


def test_two_requests_for_one_sentence_at_once_compute_it_once(
    small: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.load()
    run = inference.run_windows
    monkeypatch.setattr(inference, "run_windows", lambda *args: (time.sleep(0.3), run(*args))[1])
    with ThreadPoolExecutor(4) as pool:
        answers = [f.result().sentences[0] for f in [pool.submit(small.analyze, ["the cat"]) for _ in range(4)]]
    assert small.n_forward_passes == 1
    assert all(answer is answers[0] for answer in answers)


def test_a_short_question_does_not_wait_for_the_whole_of_a_long_one(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), tokens_per_batch=32))
    service.load()
    run, first_batch = inference.run_windows, threading.Event()

    def slow(*args: object) -> object:
        first_batch.set()
        time.sleep(0.05)
        return run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(inference, "run_windows", slow)
    order: list[str] = []
    long = threading.Thread(
        target=lambda: (service.analyze(["the cat sat " * 7 + "on " * n for n in range(60)]), order.append("long"))
    )
    long.start()
    assert first_batch.wait(10)
    service.analyze(["the mat"])
    order.append("short")
    long.join()
    assert order == ["short", "long"]


def test_many_callers_get_what_each_would_get_alone(tiny: Write) -> None:
    checkpoint = str(tiny())
    words = ["the", "cat", "sat", "on", "mat", "john", "paris"]
    asked = [
        [" ".join(words[n % 7 :][: 1 + (n + k) % 7] * (1 + k)) + f" {'.' * (n % 5)}" for k in range(1 + n % 6)]
        for n in range(60)
    ]
    alone = ModelService(Settings(checkpoint=checkpoint, max_length=16))
    expected = [alone.analyze(sentences).sentences for sentences in asked]
    together = ModelService(Settings(checkpoint=checkpoint, max_length=16, tokens_per_batch=256, max_cache_bytes=0))
    together.load()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(together.analyze, asked))
    for mine, its in zip(answers, expected, strict=True):
        assert [answer.text for answer in mine] == [answer.text for answer in its]
        for one, other in zip(mine, its, strict=True):
            np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-5)
            assert one.probabilities == pytest.approx(dict(other.probabilities), abs=1e-5)
            assert (one.n_tokens, one.n_truncated) == (other.n_tokens, other.n_truncated)
    assert together.n_forward_passes < alone.n_forward_passes


def test_a_failure_is_told_to_everyone_and_forgotten(small: ModelService, monkeypatch: pytest.MonkeyPatch) -> None:
    small.load()

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(inference, "run_windows", fail)
        with pytest.raises(MemoryError):
            small.analyze(["the cat"])
    assert len(small.analyze(["the cat"])) == 1


def test_a_request_that_fails_for_its_own_reasons_fails_nobody_else(
    small: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a sentence that another request was computing computes it when that one has failed."""
    small.load()
    run, started, go_on, n_runs = inference.run_windows, threading.Event(), threading.Event(), count()

    def first_fails(*args: object) -> object:
        if next(n_runs) == 0:
            started.set()
            assert go_on.wait(10)
            raise MemoryError("its own reasons")
        return run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(inference, "run_windows", first_fails)
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(small.analyze, ["the cat"])
        assert started.wait(10)
        waiting = pool.submit(small.analyze, ["the cat"])
        time.sleep(0.1)
        go_on.set()
        with pytest.raises(MemoryError):
            failing.result()
        assert waiting.result().sentences[0].text == "the cat"


def test_progress_is_told_for_long_requests_only(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), tokens_per_batch=32))
    told: list[tuple[int, int]] = []
    service.analyze(["the cat"], progress=lambda phrase, done, total: told.append((done, total)))
    assert told == []
    service.analyze(["the " * n for n in range(1, 30)], progress=lambda phrase, done, total: told.append((done, total)))
    assert told[-1] == (29, 29)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_threads_are_few_for_short_requests_and_all_for_long_ones(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), tokens_per_batch=64, threads=7, threads_short=3))
    used: list[int] = []
    run = inference.run_windows
    monkeypatch.setattr(inference, "run_windows", lambda *args: (used.append(args[2]), run(*args[:2], 1))[1])
    service.analyze(["the cat"])
    service.analyze(["the " * n for n in range(1, 50)])
    assert used[0] == 3
    assert set(used[1:]) == {7}


LIMITED = Settings(max_sentences=3, max_sentence_characters=20, max_total_characters=30)


@pytest.mark.parametrize(
    ("sentences", "error", "words"),
    [
        ([], EmptyInputError, "no sentence"),
        (np.array([]), EmptyInputError, "no sentence"),
        (["fine", "  \t"], EmptyInputError, "Sentence 2: It is blank"),
        (["fine", "\u200b\u2060"], EmptyInputError, "Sentence 2: It is blank"),
        (["a"] * 4, TooMuchInputError, "4 sentences.*at most 3"),
        (["a" * 21], TooMuchInputError, "21 characters; at most 20"),
        (["a" * 16] * 2, TooMuchInputError, "32 characters together; at most 30"),
        ("text", InputError, "Put it in a list"),
        (["fine", 5], InputError, "Sentence 2: It must be a text, not int"),
    ],
)
def test_limits_are_plain_errors_that_load_nothing(sentences: list[str], error: type, words: str) -> None:
    service = ModelService(LIMITED)
    with pytest.raises(error, match=words):
        service.analyze(sentences)
    assert service.loaded() is None


def test_a_table_is_refused_and_not_read_as_its_names(small: ModelService) -> None:
    for table in (pd.DataFrame({"text": ["the cat"]}), np.array([["the cat"]]), np.array("the cat")):
        with pytest.raises(InputError, match="one column of a table"):
            small.analyze(table)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [tuple, np.array, pd.Series, pd.Index, lambda rows: pd.Series(rows, index=[5, 7]), iter])
def test_any_ordered_collection_of_sentences_is_read(small: ModelService, kind: Callable[[list[str]], Any]) -> None:
    rows = ["the cat", "the mat"]
    assert small.analyze(kind(rows)).sentences == small.analyze(rows).sentences


@pytest.mark.parametrize("given", [{"a": "the cat"}, {"the cat"}, b"the cat", 7, None], ids=repr)
def test_what_is_no_list_of_sentences_is_refused(small: ModelService, given: Any) -> None:
    with pytest.raises(InputError, match="list of sentences"):
        small.analyze(given)


def test_a_missing_value_of_a_column_is_named_by_its_number(small: ModelService) -> None:
    with pytest.raises(InputError, match="Sentence 2: It must be a text, not float"):
        small.analyze(pd.Series(["the cat", float("nan")], dtype=object))  # type: ignore[arg-type]


ODD = {
    "NUL": "a\x00b \x00", "only NUL": "\x00", "lone surrogate": "John \ud800 Paris", "HTML": "<script>alert(1)</script>",
    "right to left": "محمد زار القاهرة", "emoji": "👨‍👩‍👧 John 🇫🇷", "controls": "\x01\x02\x1b[31m",
    "combining": "e" + "\u0301" * 500,
    "one long word": "x" * 5000, "line separators": "a\u2028b\u2029c\x85d", "BOM": "\ufeffJohn",
}  # fmt: skip


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_text_is_answered_with_offsets_that_hold(service: ModelService, text: str) -> None:
    (answer,) = service.analyze([text])
    assert answer.text == text
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(answer.embedding).all()
    assert all(text[e.start : e.end] == e.text for e in answer.entities)


def test_similarity_is_the_cosine_of_the_embeddings(service: ModelService) -> None:
    result = service.similarity(["A dog barks.", "A puppy is barking.", "Taxes rose."])
    a, b = result.analysis.embeddings[:2].astype(np.float64)
    assert result.matrix[0, 1] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert (result.most_similar[0].first, result.most_similar[0].second) == (0, 1)
    assert result.as_dict()["similarity"][1][0] == pytest.approx(result.matrix[0, 1])


def test_a_stream_of_any_length_gives_one_answer_or_error_each_in_order(tiny: Write) -> None:
    service = ModelService(
        Settings(checkpoint=str(tiny()), max_sentences=2, max_sentence_characters=40, max_total_characters=50)
    )
    texts = ["the cat " + "sat " * (n % 5) if n % 7 else "" if n % 14 else "x" * 41 for n in range(100)]
    answers = list(service.analyze_stream(texts))
    assert len(answers) == 100
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(answer, SentenceAnalysis):
            assert answer.text == text
        else:
            assert isinstance(answer, TooMuchInputError if text else EmptyInputError)


def test_a_line_longer_than_a_whole_request_ends_no_stream(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), max_sentence_characters=40, max_total_characters=10))
    answers = list(service.analyze_stream(["the cat", "the cat sat on", 5, "the mat"]))  # type: ignore[list-item]
    assert [type(answer) for answer in answers] == [SentenceAnalysis, TooMuchInputError, InputError, SentenceAnalysis]
    assert str(answers[1]) == ("Sentence 2: It has 14 characters; at most 10 are read in one. Split it into paragraphs.")
    assert str(answers[2]) == "Sentence 3: It must be a text, not int."


def test_every_dictionary_has_the_lengths(service: ModelService) -> None:
    (answer,) = service.analyze(["John lives in Paris."])
    for dictionary in (answer.embedding_as_dict(), answer.classification_as_dict(), answer.entities_as_dict()):
        assert {"text", "n_tokens", "n_truncated", "n_unknown"} <= dictionary.keys()
    assert answer.classification_as_dict()["label"] == max(answer.probabilities, key=answer.probabilities.get)
    assert answer.entities_as_dict()["entities"][0] == {
        "text": "John", "label": "PER", "score": answer.entities[0].score, "start": 0, "end": 4,
    }  # fmt: skip
    assert set(answer.as_dict()) == {
        "text", "n_tokens", "n_truncated", "n_unknown", "embedding", "norm", "label", "probabilities", "entities",
    }  # fmt: skip


@pytest.mark.model
def test_the_first_questions_may_all_come_at_once() -> None:
    """In a process of its own, since imports happen once: loading and planning from many threads, all cold."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from mtdemo import ModelService, PlanRequest, Settings
from mtdemo.planning.planner import Planner
service, planner = ModelService(Settings()), Planner(Settings().checkpoint)
with ThreadPoolExecutor(8) as pool:
    plans = [pool.submit(planner.plan, PlanRequest("bert-base-uncased")) for _ in range(5)]
    answers = [pool.submit(service.analyze, ["John lives in Paris."]) for _ in range(3)]
    assert {plan.result().freezing.n_parameters for plan in plans} == {109488392}
    assert all(len(answer.result()) == 1 for answer in answers)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    assert result.returncode == 0, result.stderr
