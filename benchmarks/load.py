"""Answers a second at 1, 8, 32 and 64 clients, by REST and by gradio's API, in one run.

    python -m benchmarks.load [--seconds 8] [--clients 1 8 32 64]

The app runs in a process of its own, the clients in this one, each a thread that asks for all three tasks of a sentence of
5 to 25 words that nobody asked before, as soon as the last is answered. Both kinds are asked in turn, at every number of
clients. `passes` are the forward passes per answer: fewer than 1 where requests that waited together were computed
together. Clients and app share the cores, so the numbers are of this machine, and ratios mean more than rates.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import statistics
import threading
import time
from collections.abc import Callable

import httpx

from benchmarks.running_app import running_app

WORDS = ("the", "a", "river", "painted", "Paris", "John", "bought", "reports", "never", "under", "question", "blue")
_numbers = itertools.count()


def make_sentence() -> str:
    number = next(_numbers)
    draw = random.Random(number)  # noqa: S311
    return " ".join(draw.choices(WORDS, k=draw.randint(5, 25))) + f" {number}."


def ask_rest(client: httpx.Client) -> None:
    client.post("/api/v1/analyze", json={"sentences": [make_sentence()]}).raise_for_status()


def ask_gradio(client: httpx.Client) -> None:
    event = (
        client.post("/gradio_api/call/analyze", json={"data": [[make_sentence()]]}).raise_for_status().json()["event_id"]
    )
    if "event: complete" not in client.get(f"/gradio_api/call/analyze/{event}").text:
        raise ValueError("gradio's API did not answer")


def count_passes(url: str) -> float:
    found = re.search(r"^mtdemo_forward_passes_total (\S+)", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def load(url: str, ask: Callable[[httpx.Client], None], n_clients: int, seconds: float) -> str:
    """Ask for some seconds, and describe what came of it in a line."""
    times: list[float] = []
    end = time.monotonic() + seconds

    def work() -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            while time.monotonic() < end:
                start = time.perf_counter()
                ask(client)
                times.append(time.perf_counter() - start)

    before, start = count_passes(url), time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, n_passes = time.perf_counter() - start, count_passes(url) - before
    ordered = sorted(times)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return (
        f"{len(times) / took:8.1f} /s {statistics.median(times) * 1e3:8.0f} ms {p95 * 1e3:8.0f} ms "
        f"{n_passes / len(times):8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64])
    options = parser.parse_args()
    with running_app() as app:
        print(f"{'clients':>7} {'':<8} {'answers':>11} {'p50':>11} {'p95':>11} {'passes':>8}")
        for n_clients in options.clients:
            for name, ask in (("REST", ask_rest), ("gradio", ask_gradio)):
                print(f"{n_clients:>7} {name:<8} {load(app.url, ask, n_clients, options.seconds)}", flush=True)


if __name__ == "__main__":
    main()
