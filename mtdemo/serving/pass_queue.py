"""The line before the model: what waits together is computed together.

One thread tokenises and runs forward passes. While a pass runs, requests gather; the next pass takes windows of all of
them, up to the token budget. Nobody waits for others to come: a request that is alone is run at once. Requests give a
window each in turn, those first that the last pass had no room for, then the shortest. So a short request is in the next
pass or the one after it, however long a file is being read, and a file gets its share, however many short requests come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

from mtdemo.config import Settings, count_cores, give_memory_back
from mtdemo.errors import PassLostError, RequestGoneError
from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.results import ProgressCallback, no_progress
from mtdemo.serving.worker import Worker
from mtdemo.text.tokenization import EncodedSentence, Window

_SHORT_REQUEST = 512  # word pieces
_PASSES_PER_TIDYING = 500


def always() -> bool:
    """Return True: the answer is wanted to the end."""
    return True


@dataclass(eq=False)
class Request:
    """Texts that one model is to read.

    Attributes:
        loaded: the model.
        texts: none blank.
        max_length: word pieces per window, special ones included.
        is_wanted: asked before each pass; False where nobody waits for the answer any more.
        prompt: what is read before each text; None for what the model reads by default.
        choose: gives the windows that are run, of the tokenised texts; called by the inference thread. By default all
            windows of the texts.
        encoded: the texts, tokenised.
        outputs: of the windows so far, by their positions among all windows that are run.
    """

    loaded: AnsweringModel
    texts: Sequence[str]
    max_length: int
    is_wanted: Callable[[], bool] = always
    prompt: str | None = None
    choose: Callable[[Sequence[EncodedSentence]], Sequence[Window]] | None = None
    encoded: Sequence[EncodedSentence] = ()
    outputs: dict[int, WindowOutput] = field(default_factory=dict)
    _windows: list[Window] = field(default_factory=list)
    _waiting: list[int] = field(default_factory=list)  # positions, those of the shortest windows last
    _news: SimpleQueue[int | BaseException] = field(default_factory=SimpleQueue)  # windows done, or why it ends
    n_tokens: int = 0  # of all windows
    n_tokens_left: int = 0
    n_passed_over: int = 0  # passes in a row that had no room for it
    is_alone: bool = False  # a pass with others failed
    n_passes: int = 0  # that had windows of it

    def take(self) -> tuple[int, Window]:
        """Take the shortest window that waits, and its position."""
        position = self._waiting.pop()
        window = self._windows[position]
        self.n_tokens_left -= len(window.input_ids)
        return position, window

    @property
    def next_length(self) -> int:
        """Word pieces of the shortest window that waits."""
        return len(self._windows[self._waiting[-1]].input_ids)

    @property
    def n_waiting(self) -> int:
        """Windows that no pass has taken yet."""
        return len(self._waiting)

    def encode(self) -> None:
        """Tokenise the texts; the windows to run wait then."""
        from mtdemo.inference.pipeline import windows_of

        self.encoded = self.loaded.encode(self.texts, self.max_length, self.prompt)
        self._windows = list((self.choose or windows_of)(self.encoded))
        self._waiting = sorted(range(len(self._windows)), key=lambda n: len(self._windows[n].input_ids), reverse=True)
        self.n_tokens = self.n_tokens_left = sum(len(window.input_ids) for window in self._windows)

    def put_back(self, position: int) -> None:
        """Let a window wait again; the last taken goes first."""
        self._waiting.append(position)
        self.n_tokens_left += len(self._windows[position].input_ids)

    def tell(self, outputs: dict[int, WindowOutput] | BaseException) -> None:
        """Tell who waits of outputs, or of a failure."""
        if isinstance(outputs, BaseException):
            self._news.put(outputs)
            return
        self.outputs |= outputs
        self._news.put(len(self.outputs))

    def wait(self, progress: ProgressCallback) -> None:
        """Wait for all outputs; called by the thread that asks."""
        while True:
            news = self._news.get()
            if isinstance(news, BaseException):
                raise news
            self.n_passes += 1
            is_last = news == len(self._windows)
            if not is_last or self.n_passes > 1:
                progress("reading", news, len(self._windows))
            if is_last:
                return


@dataclass
class Pass:
    """Windows that are run together."""

    owners: list[tuple[Request, int]] = field(default_factory=list)  # of each window, and its position there
    windows: list[Window] = field(default_factory=list)
    n_tokens: int = 0
    longest: int = 0

    def has_room(self, length: int, max_tokens: int, is_packed: bool) -> bool:
        """Return True where one window more fits."""
        n_padded = (len(self.windows) + 1) * max(self.longest, length)
        return not self.windows or (self.n_tokens + length if is_packed else n_padded) <= max_tokens

    def add(self, request: Request) -> None:
        """Take the next window of a request."""
        position, window = request.take()
        self.owners.append((request, position))
        self.windows.append(window)
        self.n_tokens += len(window.input_ids)
        self.longest = max(self.longest, len(window.input_ids))

    @property
    def requests(self) -> list[Request]:
        """The requests that have windows in it."""
        return list(dict.fromkeys(request for request, _ in self.owners))


class PassQueue:
    """Requests in line, and the thread that computes.

    Args:
        settings: the token budget and the numbers of threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worker = Worker("inference", self._lose)
        self._open: set[Request] = set()  # those that somebody waits for
        self._requests: list[Request] = []  # of the inference thread alone, as all below
        self._has_turn = False
        self.n_forward_passes = 0
        self.n_tokens = 0

    @property
    def n_waiting(self) -> int:
        """Windows that wait now."""
        return sum(request.n_waiting for request in tuple(self._requests))

    @property
    def n_restarts(self) -> int:
        """Threads that died; another one went on each time."""
        return self._worker.n_deaths

    @property
    def seconds_at_pass(self) -> float:
        """Seconds since what is computed now began; 0 for nothing."""
        return self._worker.seconds_at_task

    def run(self, request: Request, progress: ProgressCallback = no_progress) -> None:
        """Run a request and wait for all its outputs.

        Args:
            request: a new one.
            progress: told of windows done and windows in all, when there is more than one pass.

        Raises:
            RequestGoneError: it is not wanted any more.
            PassLostError: the thread that computes died.
        """
        self._open.add(request)
        try:
            self._worker.submit(partial(self._take_in, request))
            request.wait(progress)
        finally:
            self._open.discard(request)

    def _lose(self, error: BaseException) -> None:
        """Tell everybody that the thread died; it calls this itself."""
        self._requests, self._has_turn = [], False
        for request in tuple(self._open):
            request.tell(PassLostError(f"The computation was lost ({type(error).__name__}). Ask again."))

    def _take_in(self, request: Request) -> None:
        """Tokenise a request; a pass follows those that came meanwhile."""
        try:
            if not request.is_wanted():
                raise _gone()
            request.encode()
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
            request.tell(error)
            return
        self._requests.append(request)
        self._schedule()

    def _schedule(self) -> None:
        """Run a pass after all requests that came meanwhile."""
        if not self._requests or self._has_turn:
            return
        self._has_turn = True
        self._worker.submit(self._run_pass)

    def _run_pass(self) -> None:
        self._has_turn = False
        try:
            self._end([request for request in self._requests if not request.is_wanted()], _gone())
            if self._requests:
                self._run(self._choose())
                if self.n_forward_passes % _PASSES_PER_TIDYING == 0:
                    give_memory_back()
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
            self._end(self._requests, error)
        self._requests = [request for request in self._requests if request.n_waiting]
        self._schedule()

    def _end(self, requests: Sequence[Request], error: BaseException) -> None:
        """Let requests leave the line, and tell them why."""
        self._requests = [request for request in self._requests if request not in requests]
        for request in requests:
            request.tell(error)

    def _choose(self) -> Pass:
        """Choose the windows of the next pass."""
        from mtdemo.inference.packed import can_pack

        order = sorted(self._requests, key=lambda request: (-request.n_passed_over, request.n_tokens_left))
        first = order[0]
        together = [one for one in order if one.loaded is first.loaded and not one.is_alone]
        giving = deque([first] if first.is_alone else together)
        is_packed = can_pack(first.loaded)
        chosen = Pass()
        while giving:
            request = giving.popleft()
            if request.n_waiting and chosen.has_room(request.next_length, self._settings.tokens_per_batch, is_packed):
                chosen.add(request)
                giving.append(request)
        served = set(chosen.requests)
        for request in self._requests:
            request.n_passed_over = 0 if request in served else request.n_passed_over + 1
        return chosen

    def _run(self, chosen: Pass) -> None:
        """Run a pass and give each request its outputs.

        Where a pass of several requests fails, each is run by itself, so that one fails nobody else.
        """
        from mtdemo.inference import forward

        self.n_forward_passes += 1
        self.n_tokens += chosen.n_tokens
        requests = chosen.requests
        try:
            outputs = forward.run_windows(requests[0].loaded, chosen.windows, self._n_threads(chosen))
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
            if len(requests) == 1:
                self._end(requests, error)
            for request, position in reversed(chosen.owners):
                request.is_alone = True
                request.put_back(position)
            return
        found: dict[Request, dict[int, WindowOutput]] = {request: {} for request in requests}
        for (request, position), output in zip(chosen.owners, outputs, strict=True):
            found[request][position] = output
        for request, its in found.items():
            request.tell(its)

    def _n_threads(self, chosen: Pass) -> int:
        """Choose few threads for short requests, all for long ones."""
        most = self._settings.threads or count_cores()
        is_long = chosen.n_tokens > _SHORT_REQUEST or any(request.n_tokens > _SHORT_REQUEST for request in chosen.requests)
        return most if is_long else min(self._settings.threads_short, most)


def _gone() -> RequestGoneError:
    return RequestGoneError("Nobody waits for this answer any more.")
