"""Whether the server can be left running: memory over many calls by REST, by gradio's API and of the page.

    python -m benchmarks.soak [--calls 20000] [--seconds 3600] [--clients 8] [--limit-mb 60]

The server runs in this process, on loopback, with a cache of results that is full after the first calls. Of ten calls five
are for REST and five for gradio's API, without a session as curl makes them; every hundredth call also visits the page.
Sentences differ. Prints the memory of the process at every tenth of the way, and at the end how much more it is than
after the first 1,000 calls. The exit status is 1 where that is above the limit, or where a call failed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

from mtdemo.config import Settings, prepare_environment

prepare_environment()

import httpx  # noqa: E402

from mtdemo.ui.launch import start  # noqa: E402

ROOT = Path(__file__).parent.parent
N_FIRST = 1_000  # calls until caches, sessions and pools are full
QUESTIONS = ("embed", "classify", "entities", "analyze", "similarity")


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
    if number % 100 == 0:
        client.get("/").raise_for_status()


def megabytes() -> float:
    gc.collect()
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(url: str, n_calls: int, seconds: float, n_clients: int) -> tuple[float, float, int, int]:
    """Call until the number or the time is reached.

    Returns:
        Memory in MB after the first calls and at the end, how many calls were answered, and how many failed.
    """
    numbers, end = itertools.count(), time.monotonic() + seconds
    lock, done, failed, first = threading.Lock(), 0, 0, 0.0
    step = max(1, n_calls // 10)

    def work() -> None:
        nonlocal done, failed, first
        with httpx.Client(base_url=url, timeout=120) as client:
            while (number := next(numbers)) < n_calls and time.monotonic() < end:
                try:
                    call(client, number)
                    is_answered = True
                except (httpx.HTTPError, ValueError) as error:
                    print(f"call {number}: {error}")
                    is_answered = False
                with lock:
                    done, failed = done + is_answered, failed + (not is_answered)
                    if done == N_FIRST:
                        first = megabytes()
                    if (done + failed) % step == 0:
                        print(f"{done + failed:>7,} calls {megabytes():8.0f} MB", flush=True)

    threads = [threading.Thread(target=work) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return first, megabytes(), done, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--limit-mb", type=float, default=60.0)
    options = parser.parse_args()
    page, service = start(replace(Settings(), port=free_port(), max_cache_bytes=1_000_000))
    service.load()
    print(f"{0:>7,} calls {megabytes():8.0f} MB", flush=True)
    try:
        first, last, n_done, n_failed = soak(page.local_url, options.calls, options.seconds, options.clients)
    finally:
        page.close(verbose=False)
    if n_done <= N_FIRST:
        print(f"{n_done:,} calls only; memory is compared after the first {N_FIRST:,}")
        return 1
    print(f"{n_done:,} answered, {n_failed} failed; after {N_FIRST:,} {first:.0f} MB, at the end {last:.0f} MB")
    print(f"{last - first:+.0f} MB, at most {options.limit_mb:.0f} allowed")
    return int(n_failed > 0 or last - first > options.limit_mb)


if __name__ == "__main__":
    raise SystemExit(main())
