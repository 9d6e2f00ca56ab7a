"""A hub that misbehaves, through the real client and the real app: what is told, when, and what others wait meanwhile.

    python -m benchmarks.hub_faults
    python -m benchmarks.hub_faults --hub http://127.0.0.1:7890 --ids fault/stall fault/cut-once …

Visitors load models of a hub on this machine, each id with another fault, by the page's own button. The first table says
what each of them was told, and after how many seconds. Meanwhile another visitor reads sentences with the model that is in
memory, and chooses that model again; the second table has the median and the longest time of both, alone and beside each
kind of load. With `--hub` the ids of a hub that runs already are loaded instead. The command fails where somebody is not
told within the time that the page promises, or where the other visitor waits a second longer than alone.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.running_app import running_app
from mtdemo.config import EMBEDDED
from mtdemo.ui.components.model_picker import LOAD, OTHER
from tests.fake_hub import serve
from tests.repositories import make_encoder

PROMISED_S = 75.0  # silence of 20 s, a stop of 45 s, and what came before
MAX_DELAY_S = 1.0
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "private": {"private": True},
    "gated": {"gated": True},
    "forbidden": {"status": 403},
    "too-many-requests": {"status": 429},
    "broken": {"status": 500},
    "unavailable": {"status": 503},
    "cut-off": {"cut_after": 100},
    "reset": {"cut_after": 100, "reset": True},
    "slow": {"bytes_per_s": 2_000},
    **{f"silent-{number}": {"silent_s": 600} for number in range(6)},
    **{f"stalled-{number}": {"stall_after": 100, "stall_s": 600} for number in range(6)},
}


@dataclass
class Visitor:
    """Somebody with the page open, who presses its buttons."""

    client: httpx.Client
    session: str

    def press(self, button: int, data: Sequence[Any]) -> tuple[list[Any], float]:
        """Press a button, and wait for its last word.

        Returns:
            What it filled, and the seconds it took.

        Raises:
            ValueError: it failed.
        """
        start = time.perf_counter()
        body = {"data": list(data), "fn_index": button, "session_hash": self.session}
        self.client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise ValueError(f"the page failed: {message['output']}")
                    return message["output"]["data"], time.perf_counter() - start
        raise ValueError("the page ended without a word")


@dataclass
class Page:
    """The running app and its buttons."""

    url: str
    load: int = 0
    read: int = 0
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=300, limits=httpx.Limits()))  # of all
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._client.base_url = self.url
        config = self._client.get("/config").json()
        ids = {each["props"].get("value"): each["id"] for each in config["components"] if each["type"] == "button"}
        self.load, self.read = (
            next(
                row["id"] for row in config["dependencies"] if row["backend_fn"] and [ids[name], "click"] in row["targets"]
            )
            for name in (LOAD, "Read")
        )

    def visit(self) -> Visitor:
        return Visitor(self._client, f"visitor{next(self._numbers)}")

    def choose(self, visitor: Visitor, name: str) -> tuple[str, float]:
        """Choose a model; the last line of the panel."""
        choice, hub_id = (EMBEDDED, "") if name == EMBEDDED else (OTHER, name)
        filled, seconds = visitor.press(self.load, [choice, hub_id, "", "", "", None])
        return filled[1]["value"] if isinstance(filled[1], dict) else filled[1], seconds


@dataclass(frozen=True, slots=True)
class Told:
    """What a visitor was told who wanted a model."""

    name: str
    seconds: float
    words: str

    @property
    def is_fine(self) -> bool:
        return self.seconds <= PROMISED_S and (self.words.startswith("**Ready") or "stays in use" in self.words)

    def __str__(self) -> str:
        words = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), self.words).split(" **The model in use")[0]
        return f"{self.name:<24} {self.seconds:6.1f} s  {words.removeprefix('> ')}"


class Load(threading.Thread):
    """A visitor who loads a model."""

    def __init__(self, page: Page, name: str) -> None:
        super().__init__(daemon=True)
        self._page, self._name = page, name
        self.told: Told | None = None
        self.start()

    def run(self) -> None:
        words, seconds = self._page.choose(self._page.visit(), self._name)
        self.told = Told(self._name, seconds, words)


def measure(page: Page, what: str, names: Sequence[str], seconds: float = 0.0) -> tuple[list[Told], float, str]:
    """Load models, and ask as another visitor while they load.

    Args:
        page: the app.
        what: this is called.
        names: of the models; one may be named by several visitors.
        seconds: how long to go on at least.

    Returns:
        What was told, the longest time of the other visitor, and a line about it.
    """
    loads = [Load(page, name) for name in names]
    end = time.monotonic() + seconds
    reads: list[float] = []
    choices: list[float] = []
    visitor = page.visit()
    while time.monotonic() < end or any(load.is_alive() for load in loads):
        reads.append(visitor.press(page.read, [f"John lives in Paris, he says at {time.time()}.", None, 0])[1])
        choices.append(page.choose(visitor, EMBEDDED)[1])
        time.sleep(0.1)
    told = [load.told or Told(name, float("inf"), "nothing") for load, name in zip(loads, names, strict=True)]
    times = "".join(f"{statistics.median(each):8.2f} {max(each):8.2f}" for each in (reads, choices))
    return told, max(*reads, *choices), f"{what:<44} {len(reads):>6} {times}"


def run(page: Page, groups: Mapping[str, Sequence[str]]) -> bool:
    """Print both tables; tell if all is as promised."""
    _, alone, line = measure(page, "alone", [], 10.0)
    lines, fine = [line], True
    for what, names in groups.items():
        told, longest, line = measure(page, what, names)
        print(*dict.fromkeys(map(str, told)), sep="\n", flush=True)
        lines.append(line)
        fine = fine and all(each.is_fine for each in told) and longest <= alone + MAX_DELAY_S
    print(f"\n{'seconds of another visitor':<44} {'times':>6} {'to read':>16} {'to choose':>16}")
    print(f"{'':<44} {'':>6} {'median':>8} {'longest':>7} {'median':>8} {'longest':>7}", *lines, sep="\n")
    return fine


@contextlib.contextmanager
def own_hub() -> Iterator[str]:
    """Serve a model for each fault."""
    with TemporaryDirectory() as root, serve(Path(root)) as hub:
        for name, faults in FAULTS.items():
            make_encoder(hub.root / "fault" / name)
            hub.faults[f"fault/{name}"] = faults
        yield hub.address


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hub", help="address of a hub that runs already")
    parser.add_argument("--ids", nargs="+", default=[], help="models of that hub, loaded all at once")
    options = parser.parse_args()
    names = [f"fault/{name}" for name in FAULTS]
    alike = {kind: [name for name in names if kind in name] for kind in ("silent", "stalled")}
    others = [name for name in names if name not in [*alike["silent"], *alike["stalled"]]]
    groups = {
        "others, each with another fault": others,
        "six that are silent": alike["silent"],
        "six that stop sending": alike["stalled"],
        "fifty visitors want the same silent one": ["fault/silent-0"] * 50,
    }
    with TemporaryDirectory() as cache, contextlib.ExitStack() as stack:
        hub = options.hub or stack.enter_context(own_hub())
        url = stack.enter_context(running_app({"HF_ENDPOINT": hub, "HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "0"})).url
        fine = run(Page(url), {"those of the hub": options.ids} if options.hub else groups)
    print("as promised" if fine else "NOT as promised")
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
