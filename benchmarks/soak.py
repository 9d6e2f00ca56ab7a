"""Whether the server can be left running: memory over many calls by REST, by gradio's API and of the page.

    python -m benchmarks.soak [--calls 20000] [--seconds 3600] [--clients 8] [--limit-mb 60] [--train] [--picture soak.png]

The server runs in this process, on loopback, with a cache of results that is full after the first calls. Of ten calls five
are for REST and five for gradio's API, without a session as curl makes them; every hundredth call also visits the page, and
asks for the same sentence again: its answer must be the first one, to 1e-5. With `--train` the laboratory trains a copy of
the model beside it, again and again. Prints the memory of the process on the way, and at the end how much more it is than
after the first 1,000 calls. The exit status is 1 where that is above the limit, where a call failed or an answer changed.
The picture needs matplotlib.
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
EVERY = 100  # calls between two visits of the page
QUESTIONS = ("embed", "classify", "entities", "analyze", "similarity")
SAME = "The same sentence, asked in Paris again and again."


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

    def run(self, url: str, n_calls: int, seconds: float, n_clients: int) -> None:
        """Call until the number or the time is reached."""
        numbers, end = itertools.count(), time.monotonic() + seconds

        def work() -> None:
            with httpx.Client(base_url=url, timeout=120) as client:
                while (number := next(numbers)) < n_calls and time.monotonic() < end:
                    self._ask(client, number, max(1, n_calls // 200))

        threads = [threading.Thread(target=work) for _ in range(n_clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, client: httpx.Client, number: int, step: int) -> None:
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
            if n_done % step == 0:
                self.note(n_done)

    def note(self, n_done: int) -> None:
        """Note the memory, and print every tenth of what is noted."""
        self.curve.append((n_done, megabytes()))
        if len(self.curve) % 10 == 1:
            print(f"{n_done:>7,} calls {self.curve[-1][1]:8.0f} MB", flush=True)


def _difference(one: float, other: float) -> float:
    return abs(one - other)


@contextmanager
def training(service: ModelService, wanted: bool, counts: Counter[str]) -> Iterator[None]:
    """Let the laboratory train until the end, one run after the other."""
    from mtdemo.laboratory.run_queue import Laboratory
    from mtdemo.planning.training_plan import TrainingPlan

    ended, laboratory = threading.Event(), Laboratory(service)

    def train() -> None:
        visitor = "soak"
        while not ended.is_set():
            for _ in laboratory.run(visitor, TrainingPlan(), "soak", n_steps=60):
                if ended.is_set():
                    break
            else:
                counts["trained"] += 1

    thread = threading.Thread(target=train, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if wanted:
            thread.join(60)


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
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    page, service = start(replace(Settings(), port=free_port(), max_cache_bytes=1_000_000))
    service.load()
    soak = Soak()
    soak.note(0)
    try:
        with training(service, options.train, soak.counts):
            soak.run(page.local_url, options.calls, options.seconds, options.clients)
        counts, last = soak.counts, megabytes()
    finally:
        page.close(verbose=False)
    if options.picture:
        draw(soak.curve, soak.first, options.limit_mb, options.picture)
    if counts["answered"] <= N_FIRST:
        print(f"{counts['answered']:,} calls only; memory is compared after the first {N_FIRST:,}")
        return 1
    print(f"{counts['answered']:,} calls answered, {counts['failed']} failed, {counts['visits']} visits of the page")
    print(f"the same sentence was answered otherwise {counts['changed']} times; {counts['trained']} runs of the laboratory")
    print(f"after {N_FIRST:,} calls {soak.first:.0f} MB, at the end {last:.0f} MB: {last - soak.first:+.0f} MB, at most "
          f"{options.limit_mb:.0f} allowed")  # fmt: skip
    return int(counts["failed"] + counts["changed"] > 0 or last - soak.first > options.limit_mb)


if __name__ == "__main__":
    raise SystemExit(main())
