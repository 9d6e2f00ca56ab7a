"""Whether the server can be left running: memory over many calls by REST, by gradio's API and of the page.

    python -m benchmarks.soak [--calls 20000] [--seconds 3600] [--clients 8] [--train 1000] [--picture soak.png]

The server runs in this process, on loopback, with a cache of results that is full after the first calls. Of ten calls five
are for REST and five for gradio's API, without a session as curl makes them; every hundredth call also visits the page, and
asks for the same sentence again, which has left the cache: its answer must be the first one, to 1e-5, since it is computed
with others. Prints the memory of the process on the way, and at the end how much more it is than after the first 1,000.

Then, with `--train`, the laboratory trains copies of the model beside so many more calls. Before, between and after them a
few sentences are asked alone, and computed anew each time: every byte of their answers must be the same. Memory is not
judged meanwhile, since a copy in training takes what it needs.

The exit status is 1 where memory is above the limit, a call failed or an answer changed. The picture needs matplotlib.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mtdemo.config import Settings, prepare_environment

prepare_environment()

import httpx  # noqa: E402

from mtdemo.serving.service import ModelService  # noqa: E402
from mtdemo.ui.launch import start  # noqa: E402

ROOT = Path(__file__).parent.parent
N_FIRST = 1_000  # calls until caches, sessions and pools are full
EVERY = 100  # calls between two visits of the page, and between two looks at the memory
QUESTIONS = ("embed", "classify", "entities", "analyze", "similarity")
SAME = "The same sentence, asked in Paris again and again."
FIXED = [
    f"{name} {verb} in Paris{end}"
    for name in ("Ann", "The old committee of Acme Corporation")
    for verb in ("sings", "did not like the soup")
    for end in (".", ", and nobody knows why it has to be so!")
]
CACHE_BYTES = 200_000  # of results, about sixty
N_ALONE = 3  # questions for the fixed sentences, one after the other
_NUMBERS = itertools.count()  # of sentences that nobody asked before


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(client: httpx.Client, number: int) -> None:
    """Ask one question, by REST or by gradio's API.

    Raises:
        httpx.HTTPError, ValueError: it was not answered.
    """
    name = QUESTIONS[number % len(QUESTIONS)]
    sentences = [f"John number {number} lives in Paris with {number % 97} cats.", f"Nothing {number} is lovely."]
    if number % 10 < 5:
        client.post(f"/api/v1/{name}", json={"sentences": sentences}).raise_for_status()
    else:
        event = client.post(f"/gradio_api/call/{name}", json={"data": [sentences]}).raise_for_status().json()["event_id"]
        if "event: complete" not in client.get(f"/gradio_api/call/{name}/{event}").text:
            raise ValueError("gradio's API did not answer")


def visit(client: httpx.Client) -> list[float]:
    """Visit the page, and ask for the sentence that is always the same."""
    client.get("/").raise_for_status()
    (answer,) = client.post("/api/v1/analyze", json={"sentences": [SAME]}).raise_for_status().json()
    return [*answer["embedding"], *answer["probabilities"].values(), *(one["score"] for one in answer["entities"])]


def megabytes() -> float:
    gc.collect()
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Soak:
    """What came of the calls.

    Attributes:
        curve: memory in MB after so many calls.
        counts: calls answered, calls failed, visits of the page, answers that changed.
        first: memory in MB after the first `N_FIRST`.
    """

    curve: list[tuple[int, float]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    first: float = 0.0
    _same: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, url: str, calls: range, seconds: float, n_clients: int) -> None:
        """Call until the numbers or the time are used up."""
        numbers, end = itertools.count(calls.start), time.monotonic() + seconds

        def work() -> None:
            with httpx.Client(base_url=url, timeout=120) as client:
                while (number := next(numbers)) < calls.stop and time.monotonic() < end:
                    self._ask(client, number)

        threads = [threading.Thread(target=work) for _ in range(n_clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, client: httpx.Client, number: int) -> None:
        try:
            call(client, number)
            same = visit(client) if number % EVERY == 0 else None
            outcome = "answered"
        except (httpx.HTTPError, ValueError) as error:
            print(f"call {number}: {error}")
            same, outcome = None, "failed"
        with self._lock:
            self.counts[outcome] += 1
            if same is not None:
                self.counts["visits"] += 1
                self._same = self._same or same
                is_other = len(same) != len(self._same) or max(map(_difference, same, self._same)) > 1e-5
                self.counts["changed"] += is_other
            n_done = self.counts["answered"] + self.counts["failed"]
            if n_done == N_FIRST:
                self.first = megabytes()
            if n_done % EVERY == 0:
                self.note(n_done)

    def note(self, n_done: int) -> None:
        """Note the memory, and print every tenth of what is noted."""
        self.curve.append((n_done, megabytes()))
        if len(self.curve) % 10 == 1:
            print(f"{n_done:>7,} calls {self.curve[-1][1]:8.0f} MB", flush=True)


def _difference(one: float, other: float) -> float:
    return abs(one - other)


@dataclass
class Training:
    """Runs of the laboratory beside the calls.

    Attributes:
        counts: steps and finished runs; questions alone, and those of them whose bytes differ from the first ones.
    """

    service: ModelService
    counts: Counter[str] = field(default_factory=Counter)
    _first: bytes = b""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Train copies, one after the other, from the first step on until the end."""
        from mtdemo.laboratory.run_queue import Laboratory
        from mtdemo.planning.training_plan import TrainingPlan

        ended, begun, laboratory = threading.Event(), threading.Event(), Laboratory(self.service)

        def train() -> None:
            while not ended.is_set():
                for state in laboratory.run("soak", TrainingPlan(), "soak", n_steps=20):
                    self.counts["steps"] += getattr(state, "n_done", 0) > 0
                    begun.set()
                    if ended.is_set():
                        break
                else:
                    self.counts["runs"] += 1
                laboratory.forget("soak")  # with its trained copy

        thread = threading.Thread(target=train, daemon=True)
        thread.start()
        begun.wait(120)
        try:
            yield
        finally:
            ended.set()
            thread.join(60)

    def ask_alone(self, url: str, when: str) -> None:
        """Ask the fixed sentences while nobody else asks, and compare bytes."""
        with httpx.Client(base_url=url, timeout=120) as client:
            for _ in range(N_ALONE):
                fill = [f"No {next(_NUMBERS)}." for _ in range(100)]
                client.post("/api/v1/embed", json={"sentences": fill}).raise_for_status()
                n_passes = self.service.n_forward_passes
                answer = client.post("/api/v1/analyze", json={"sentences": FIXED}).raise_for_status().content
                self._first = self._first or answer
                self.counts[f"asked {when}"] += self.service.n_forward_passes > n_passes  # else it came from the cache
                self.counts["differ"] += answer != self._first


def train_beside(service: ModelService, soak: Soak, url: str, calls: range, n_clients: int) -> Counter[str]:
    """Train beside calls, and ask the fixed sentences before, between and after them."""
    training, n_turns = Training(service), 10
    training.ask_alone(url, "before")
    with training.running():
        for turn in range(n_turns):
            some = calls[turn * len(calls) // n_turns : (turn + 1) * len(calls) // n_turns]
            soak.run(url, some, 3_600, n_clients)
            training.ask_alone(url, "meanwhile")
    training.ask_alone(url, "after")
    return training.counts


def draw(curve: list[tuple[int, float]], first: float, limit: float, path: Path) -> None:
    """Draw the memory over the calls."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure: Any
    figure, axes = plt.subplots(figsize=(8, 3.6), dpi=120)
    axes.plot(*zip(*curve, strict=True), color="#4f46e5", linewidth=1.6)
    if first:
        axes.axvline(N_FIRST, color="#9ca3af", linewidth=1)
        axes.axhline(first + limit, color="#dc2626", linewidth=1, linestyle="--")
        axes.text(
            N_FIRST, first + limit, f"  {limit:.0f} MB more than after {N_FIRST:,} calls", va="bottom", color="#dc2626"
        )
    axes.set(
        xlabel="calls",
        ylabel="memory of the process, MB",
        ylim=(0, 1.15 * max(mb for _, mb in curve)),
        xlim=(0, curve[-1][0]),
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--limit-mb", type=float, default=60.0)
    parser.add_argument("--train", type=int, default=0, metavar="CALLS")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    page, service = start(replace(Settings(), port=free_port(), max_cache_bytes=CACHE_BYTES))
    service.load()
    soak, trained = Soak(), Counter[str]()
    soak.note(0)
    try:
        soak.run(page.local_url, range(options.calls), options.seconds, options.clients)
        last, curve, n_calls = megabytes(), list(soak.curve), soak.counts["answered"]
        tell(soak, last, options.limit_mb)
        if options.picture:
            draw(curve, soak.first, options.limit_mb, options.picture)
        if options.train:
            calls = range(options.calls, options.calls + options.train)
            trained = train_beside(service, soak, page.local_url, calls, options.clients)
            print(f"then {soak.counts['answered'] - n_calls:,} calls beside {trained['steps']} steps of the laboratory, "
                  f"{trained['runs']} runs finished; {soak.counts['failed']} calls failed in all")  # fmt: skip
            asked = ", ".join(f"{trained[f'asked {when}']} times {when}" for when in ("before", "meanwhile", "after"))
            print(f"{len(FIXED)} sentences computed anew {asked}: {trained['differ']} answers with another byte")
    finally:
        page.close(verbose=False)
    is_wrong = soak.counts["failed"] + soak.counts["changed"] + trained["differ"] > 0 or n_calls <= N_FIRST
    return int(is_wrong or (options.train > 0 and not trained["steps"]) or last - soak.first > options.limit_mb)


def tell(soak: Soak, last: float, limit: float) -> None:
    """Print what came of the calls."""
    counts = soak.counts
    print(f"{counts['answered']:,} calls answered, {counts['failed']} failed, {counts['visits']} visits of the page")
    print(f"the same sentence was answered otherwise {counts['changed']} times")
    if counts["answered"] <= N_FIRST:
        print(f"memory is compared after the first {N_FIRST:,}")
    else:
        print(f"after {N_FIRST:,} calls {soak.first:.0f} MB, at the end {last:.0f} MB: {last - soak.first:+.0f} MB, "
              f"at most {limit:.0f} allowed", flush=True)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
