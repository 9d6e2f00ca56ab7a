"""Answers a second at 1, 8, 32 and 64 clients, by REST, by gradio's API and of a plain page, in one run.

    python -m benchmarks.load [--seconds 8] [--clients 1 8 32 64]

The app and a plain gradio app with three pipelines (`benchmarks.rivals`) run in processes of their own, the clients in this
one, each a thread that asks for all three tasks of a sentence of 5 to 25 words that nobody asked before, as soon as the
last is answered. All are asked in turn, at every number of clients, while the other app is idle. `passes` are the forward
passes per answer: fewer than 1 where requests that waited together were computed together. Clients and app share the cores,
so the numbers are of this machine, and ratios mean more than rates.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import statistics
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx

from benchmarks.running_app import PLAIN_APP, running_app

WORDS = ("the", "a", "river", "painted", "Paris", "John", "bought", "reports", "never", "under", "question", "blue")
_numbers = itertools.count()


def make_sentence() -> str:
    number = next(_numbers)
    draw = random.Random(number)  # noqa: S311
    return " ".join(draw.choices(WORDS, k=draw.randint(5, 25))) + f" {number}."


def send(client: HTTPConnection, path: str, question: object = None) -> bytes:
    """Ask on a connection that is kept; a library does more, for which the app would wait."""
    body = None if question is None else json.dumps(question).encode()
    client.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ValueError(f"{path} -> {answer.status} {content[:200]!r}")
    return content


def ask_rest(client: HTTPConnection) -> None:
    send(client, "/api/v1/analyze", {"sentences": [make_sentence()]})


def ask_gradio(client: HTTPConnection) -> None:
    _ask_gradio(client, [make_sentence()])


def ask_plain(client: HTTPConnection) -> None:
    _ask_gradio(client, make_sentence())


def _ask_gradio(client: HTTPConnection, value: object) -> None:
    event = json.loads(send(client, "/gradio_api/call/analyze", {"data": [value]}))["event_id"]
    if b"event: complete" not in send(client, f"/gradio_api/call/analyze/{event}"):
        raise ValueError("gradio's API did not answer")


def count_passes(url: str) -> float:
    found = re.search(r"^mtdemo_forward_passes_total (\S+)", httpx.get(f"{url}/metrics").text, re.MULTILINE)  # the app has
    return float(found[1]) if found else 0.0


def load(url: str, ask: Callable[[HTTPConnection], None], n_clients: int, seconds: float) -> str:
    """Ask for some seconds, and describe what came of it in a line."""
    times: list[float] = []
    end = time.monotonic() + seconds

    def work() -> None:
        client = HTTPConnection(urlsplit(url).netloc, timeout=120)
        while time.monotonic() < end:
            start = time.perf_counter()
            ask(client)
            times.append(time.perf_counter() - start)
        client.close()

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
    with running_app() as app, running_app(arguments=PLAIN_APP) as plain:
        print(f"{'clients':>7} {'':<12} {'answers':>11} {'p50':>11} {'p95':>11} {'passes':>8}")
        for n_clients in options.clients:
            for name, at, ask in (
                ("REST", app.url, ask_rest),
                ("gradio", app.url, ask_gradio),
                ("plain gradio", plain.url, ask_plain),
            ):
                print(f"{n_clients:>7} {name:<12} {load(at, ask, n_clients, options.seconds)}", flush=True)


if __name__ == "__main__":
    main()
