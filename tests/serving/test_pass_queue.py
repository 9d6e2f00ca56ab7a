"""The line before the model: how many passes are run, for whom, and in which order. No network is needed."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mtdemo.config import Settings
from mtdemo.errors import PassLostError, RequestGoneError
from mtdemo.inference import forward
from mtdemo.serving import pass_queue
from mtdemo.serving.pass_queue import PassQueue, Request, always
from tests.inference.test_pipeline import LettersModel


class Gate:
    """Lets passes through one by one, and notes the first letters of their windows."""

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.arrived, self.open = threading.Semaphore(0), threading.Semaphore(0)
        self.failing: set[str] = set()

    def run(self, loaded: LettersModel, windows: Sequence[object], n_threads: int) -> object:
        self.passes.append("".join(sorted(chr(window.input_ids[0]) for window in windows)))  # type: ignore[attr-defined]
        self.arrived.release()
        assert self.open.acquire(timeout=10)
        if self.failing & set(self.passes[-1]):
            raise MemoryError(self.passes[-1])
        return loaded.run(windows)  # type: ignore[arg-type]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(forward, "run_windows", gate.run)
    yield gate
    gate.open.release(1_000)


class Line:
    """A queue and the requests in it, each asked by a thread of its own."""

    def __init__(self, model: LettersModel, max_tokens: int = 40) -> None:
        self.model = model
        self.queue = PassQueue(Settings(tokens_per_batch=max_tokens))
        self.pool = ThreadPoolExecutor(40)

    def ask(self, *texts: str, is_wanted: Callable[[], bool] = always) -> Future[Request]:
        """Ask, and wait until the request stands in the line or is being tokenised."""
        request = Request(self.model, texts, 4, is_wanted)
        answer = self.pool.submit(lambda: (self.queue.run(request), request)[1])
        time.sleep(0.01)
        return answer


MODEL = LettersModel()


def test_what_waits_together_is_computed_together(gate: Gate) -> None:
    line = Line(MODEL)
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10), "who is alone does not wait for others"
    others = [line.ask(letter) for letter in "bcdefgh"]
    gate.open.release(2)
    outputs = [answer.result(10).outputs[0].embedding[0] for answer in (first, *others)]
    assert [chr(int(output)) for output in outputs] == list("abcdefgh")
    assert gate.passes == ["a", "bcdefgh"]
    assert (line.queue.n_forward_passes, line.queue.n_tokens, line.queue.n_waiting) == (2, 8, 0)


def test_each_request_gets_the_outputs_of_its_own_windows(gate: Gate) -> None:
    """Requests give their windows in turn, so those of one do not stand side by side in a pass."""
    line = Line(MODEL, max_tokens=60)
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10)
    texts = [["bcde", "f", "gh"], ["ij", "klmn"], ["o", "pqrs", "tu", "v"], ["wxyz" * 4, "B"]]
    others = [line.ask(*its) for its in texts]
    gate.open.release(20)
    for answer in (first, *others):
        request = answer.result(10)
        windows = [window for sentence in request.encoded for window in sentence.windows]
        for position, window in enumerate(windows):
            output = request.outputs[position]
            assert output.embedding[0] == window.input_ids[0]
            assert len(output.entity_probabilities) == len(window.input_ids)
    assert len(gate.passes) < len(texts) + 1


def test_a_pass_keeps_the_budget(gate: Gate) -> None:
    line = Line(MODEL, max_tokens=8)  # two windows of four letters, padding counted
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10)
    others = [line.ask(letter * 4) for letter in "bcdef"]
    gate.open.release(10)
    for answer in (first, *others):
        answer.result(10)
    assert gate.passes == ["a", "bc", "de", "f"]


def test_a_short_request_is_in_the_next_pass_however_long_a_file_is_read(gate: Gate) -> None:
    line = Line(MODEL, max_tokens=8)
    file = line.ask(*["aaaa"] * 20)
    for n_passes, letter in ((3, "b"), (2, "c")):
        for _ in range(n_passes):
            assert gate.arrived.acquire(timeout=10)
            if _ < n_passes - 1:
                gate.open.release()
        short = line.ask(letter)
        gate.open.release(2)
        short.result(10)
        assert gate.arrived.acquire(timeout=10), "of the pass that the short one is in"
        assert gate.passes[-1].count(letter) + gate.passes[-2].count(letter) == 1
    gate.open.release(100)
    file.result(10)
    assert len(gate.passes) <= 13, "the file loses no more than the room that short ones take"


def test_a_file_gets_its_share_however_many_short_requests_come(gate: Gate) -> None:
    line = Line(MODEL, max_tokens=4)  # a window a pass
    file = line.ask(*["aaaa"] * 5)
    shorts = []
    for letter in "bcdefghijklmnopq":
        assert gate.arrived.acquire(timeout=10)
        shorts.append(line.ask(letter * 4))
        gate.open.release()
    gate.open.release(100)
    for answer in (file, *shorts):
        answer.result(10)
    assert "".join(gate.passes[:14]).count("a") >= 3


def test_what_nobody_waits_for_any_more_is_not_computed(gate: Gate) -> None:
    line, gone = Line(MODEL), threading.Event()
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10)
    cancelled = line.ask("bbbb", "b", is_wanted=lambda: not gone.is_set())
    other = line.ask("c")
    gone.set()
    gate.open.release(2)
    with pytest.raises(RequestGoneError):
        cancelled.result(10)
    assert first.result(10).outputs.keys() == other.result(10).outputs.keys() == {0}
    assert gate.passes == ["a", "c"]


def test_a_request_given_up_in_the_middle_leaves_the_line(gate: Gate) -> None:
    line, gone = Line(MODEL, max_tokens=4), threading.Event()
    file = line.ask(*["aaaa"] * 20, is_wanted=lambda: not gone.is_set())
    assert gate.arrived.acquire(timeout=10)
    gone.set()
    gate.open.release(10)
    with pytest.raises(RequestGoneError):
        file.result(10)
    line.ask("b").result(10)
    assert gate.passes == ["a", "b"]


def test_one_request_that_fails_fails_nobody_else(gate: Gate) -> None:
    line = Line(MODEL)
    gate.failing = {"c"}
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10)
    good, bad, other = line.ask("b"), line.ask("c"), line.ask("d")
    gate.open.release(10)
    assert [answer.result(10).texts for answer in (first, good, other)] == [("a",), ("b",), ("d",)]
    with pytest.raises(MemoryError):
        bad.result(10)
    assert gate.passes == ["a", "bcd", "b", "c", "d"]
    assert line.ask("e").result(10).outputs, "the line goes on"


def test_models_are_not_mixed(gate: Gate) -> None:
    line = Line(MODEL)
    first = line.ask("a")
    assert gate.arrived.acquire(timeout=10)
    mine = line.ask("b")
    line.model = LettersModel()
    its = line.ask("c")
    gate.open.release(10)
    for answer in (first, mine, its):
        answer.result(10)
    assert gate.passes == ["a", "b", "c"]


def test_texts_that_cannot_be_tokenised_are_told_to_who_asked(gate: Gate) -> None:
    line = Line(MODEL)
    gate.open.release(10)
    with pytest.raises(TypeError):
        line.ask(5).result(10)  # type: ignore[arg-type]
    assert line.ask("a").result(10).outputs


def test_the_thread_may_die_in_a_pass_who_waits_is_told_and_the_next_are_answered(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    def die(*_: object) -> object:
        assert gate.open.acquire(timeout=10)
        raise SystemExit

    line = Line(MODEL)
    with monkeypatch.context() as context:
        context.setattr(forward, "run_windows", die)
        asked = line.ask("aa", "bb", "cc")
        gate.open.release()
        with pytest.raises(PassLostError, match="Ask again"):
            asked.result(10)
    gate.open.release(10)
    assert line.ask("dd").result(10).n_passes == 1
    assert line.queue.n_restarts == 1
    assert line.queue.n_waiting == 0


def test_the_thread_may_die_while_it_idles(gate: Gate) -> None:
    line = Line(MODEL)
    gate.open.release(10)
    line.ask("aa").result(10)
    thread = line.queue._worker._thread
    assert thread is not None and thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    thread.join(10)
    assert not thread.is_alive()
    assert line.ask("bb").result(10).n_passes == 1


def test_how_long_a_pass_takes_can_be_asked(gate: Gate) -> None:
    line = Line(MODEL)
    answer = line.ask("aa")
    assert gate.arrived.acquire(timeout=10)
    time.sleep(0.01)
    assert line.queue.seconds_at_pass >= 0.01
    gate.open.release()
    answer.result(10)
    while line.queue.seconds_at_pass:
        time.sleep(0.01)


def test_free_memory_is_given_back_now_and_then(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    line = Line(LettersModel())
    monkeypatch.setattr(pass_queue, "_PASSES_PER_TIDYING", 2)
    monkeypatch.setattr(pass_queue, "give_memory_back", lambda: given.append(line.queue.n_forward_passes))
    gate.open.release(5)
    for text in "abcde":
        line.ask(text).result(10)
    line.ask("f", is_wanted=lambda: False)
    assert line.ask("", is_wanted=lambda: False).exception(10)
    assert given == [2, 4]
