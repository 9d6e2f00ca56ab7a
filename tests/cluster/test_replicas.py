"""A replica on this machine answers as a process without Ray does, many questions at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest

from benchmarks.soak import free_port
from mtdemo.cluster.replicas import Scale, serving
from mtdemo.config import Settings
from mtdemo.errors import SettingsError
from mtdemo.planning.planner import Planner
from mtdemo.rest.questions import Questions
from mtdemo.serving.service import ModelService

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's, of itself


def test_a_replica_answers_as_a_process_without_ray_does(
    ray: Any, tiny: Callable[..., Path], called_outside: Callable[[], set[str]]
) -> None:
    settings = Settings(checkpoint=str(tiny()), port=free_port(), threads=1)
    here = Questions(ModelService(settings), Planner(settings.checkpoint))
    long = ["the cat sat on the mat . " * 4] * 200  # more than a batch has room for
    with serving(settings, Scale(1, 2, 32)) as place, httpx.Client(base_url=place, timeout=60) as client:

        def ask(sentences: list[str]) -> httpx.Response:
            return client.post("/api/v1/classify", json={"sentences": sentences})

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(ask, [[f"the cat sat {n}"] for n in range(24)] + [long, ["john", ""]]))
        *short, many, refused = answers
        assert [orjson.loads(answer.content)[0]["label"] for answer in short] == [
            here.classify([f"the cat sat {n}"])[0]["label"] for n in range(24)
        ]
        assert [answer["label"] for answer in many.json()] == [answer["label"] for answer in here.classify(long)]
        assert refused.status_code == 422
        assert refused.json()["detail"] == "Sentence 2: It is blank. Leave it out, or write something."
        assert ask(["the cat sat 3"]).json() == here.classify(["the cat sat 3"])
        assert client.post("/api/v1/explain", json={"sentence": "the cat sat"}).status_code == 200
        assert client.get("/readyz").json()["status"] == "ready"
        assert client.get("/").status_code == 404
        assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{place}/healthz").status_code == 404, "the cluster goes on without it"
    assert called_outside() == set()


def test_a_port_in_use_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def start(**_: object) -> None:
        raise RuntimeError("Failed to bind to address '127.0.0.1:8000'.")  # as Ray Serve does

    serve = SimpleNamespace(start=start, shutdown=lambda: ended.append(True))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(serve=serve))
    with pytest.raises(SettingsError, match=r"Port 8000 of .* Try --port"), serving(Settings(port=8000), Scale(1, 1, 1)):
        pass
    assert ended == [True]
