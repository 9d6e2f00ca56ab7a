"""Lines a second by workers on a Ray of this machine, one of them killed, and answers a second by a replica.

    python -m benchmarks.cluster [--lines 4096] [--workers 2] [--seconds 5]

The same file is annotated, with embeddings, by one process with one thread, by workers, and by workers of which one is
killed as soon as a part is finished; it fails where a byte differs. A rate is from the first part to the last; the seconds
until the first part, in which workers start, stand by themselves. Then a replica is asked by 1 and 32 clients, as in
`benchmarks.load`.

Needs the extra `ray`. Workers, replicas, clients and Ray's own processes share the cores, so the rates of one machine with
few of them are lower bounds.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.load import ask_rest, load
from benchmarks.soak import free_port
from benchmarks.throughput import make_sentences
from mtdemo.cluster.connection import LOCAL, joined
from mtdemo.cluster.parts import annotate_in_parts, settings_of_parts
from mtdemo.cluster.replicas import Scale, serving
from mtdemo.cluster.workers import run_on
from mtdemo.config import Settings
from mtdemo.serving.file_annotation import annotate_file, name_outputs
from mtdemo.serving.service import PORTION, ModelService


def find_workers() -> list[psutil.Process]:
    """Ray's actors that annotate for this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::MapWorker"):
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def killing_one(directory: Path, n_workers: int = 2) -> Iterator[list[int]]:
    """Kill a worker as soon as all work and a part is finished.

    Yields:
        The process ids of those that were killed.
    """
    killed: list[int] = []
    is_over = threading.Event()

    def watch() -> None:
        while not killed and not is_over.wait(0.005):
            if any(directory.glob("parts/*/0*.json")) and len(found := find_workers()) == n_workers:
                os.kill(found[0].pid, signal.SIGKILL)
                killed.append(found[0].pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        is_over.set()
        watcher.join()


def annotate_here(source: Path, directory: Path, settings: Settings) -> str:
    """Annotate in this process, and say how long it took."""
    directory.mkdir()
    service = ModelService(settings)
    service.load()
    (outputs,) = name_outputs([source], directory, has_embeddings=True).values()
    start = time.perf_counter()
    counts = annotate_file(service, source, outputs.records, outputs.embeddings)
    took = time.perf_counter() - start
    return f"{counts.n_lines / took:8.1f} lines/s"


def annotate_there(source: Path, directory: Path, settings: Settings, ray: object, n_workers: int) -> str:
    """Annotate by workers, and say how long it took."""
    times: list[float] = []
    counts = annotate_in_parts(
        name_outputs([source], directory, has_embeddings=True),
        directory,
        settings,
        run_on(ray, n_workers),
        progress=lambda n_done, n_parts: times.append(time.perf_counter()),
        lines_per_part=2 * PORTION,
    )
    begun, first, *_, last = times
    rate = (counts.n_lines - n_workers * 2 * PORTION) / (last - first)  # others were at a part when the first was finished
    return f"{rate:8.1f} lines/s after a first part at {first - begun:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=16 * PORTION)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    settings = settings_of_parts(Settings(port=free_port()))
    with tempfile.TemporaryDirectory() as folder:
        source, one = Path(folder, "lines.txt"), Path(folder, "one")
        source.write_text("\n".join(make_sentences(options.lines)), encoding="utf-8")
        print(f"{'one process':<24}{annotate_here(source, one, settings)}", flush=True)
        start = time.perf_counter()
        with joined(LOCAL, num_cpus=options.workers) as ray:
            print(f"{'start of Ray':<24}{time.perf_counter() - start:8.1f} s", flush=True)
            for name in ("workers", "workers, one killed"):
                there = Path(folder, name)
                with killing_one(there if "killed" in name else Path(folder, "nothing"), options.workers) as killed:
                    told = annotate_there(source, there, settings, ray, options.workers)
                is_same = all((there / file.name).read_bytes() == file.read_bytes() for file in one.iterdir())
                print(
                    f"{options.workers} {name:<22}{told}; {'same bytes' if is_same else 'OTHER BYTES'}; killed: {killed}",
                    flush=True,
                )
                if not is_same:
                    raise SystemExit(1)
            with serving(settings, Scale(1, 1, 32)) as place:
                for n_clients in (1, 32):
                    line = load(place, ask_rest, n_clients, options.seconds)
                    print(f"{f'a replica, {n_clients} clients':<24}{line}", flush=True)


if __name__ == "__main__":
    main()
