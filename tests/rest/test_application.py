"""The REST interface on a real server: in a thread of this process, on loopback, asked through httpx."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from pydantic import TypeAdapter

from mtdemo.config import Settings
from mtdemo.errors import InvalidCheckpointError
from mtdemo.planning.planner import Planner
from mtdemo.rest.application import ENDPOINTS, PATHS, PREFIX, build_rest
from mtdemo.rest.gate import Gate, trusted_hosts
from mtdemo.rest.questions import Questions
from mtdemo.rest.schemas import Problem
from mtdemo.serving.service import ModelService

Write = Callable[..., Path]
SENTENCES = ["the cat sat", "john sat on the mat .", "paris !"]
QUESTIONS: dict[str, dict[str, Any]] = {
    **{name: {"sentences": SENTENCES} for name in ("embed", "similarity", "classify", "entities", "analyze")},
    "rank": {"query": "the cat", "sentences": SENTENCES},
    **{name: {"sentence": SENTENCES[1]} for name in ("explain", "pieces", "try-variants", "swap-names")},
    "attribute": {"sentence": SENTENCES[1], "answer": 1},
    "what-if": {"before": SENTENCES[0], "after": SENTENCES[1]},
    "shared-words": {"first": SENTENCES[0], "second": SENTENCES[1]},
    "freezing-plan": {"backbone": "bert-base-uncased", "scenario": "freeze_backbone", "n_frozen_layers": 0},
}


async def page(scope: Any, receive: Any, send: Any) -> None:
    """What stands behind the gate: it reads the whole body and says so."""
    if scope["type"] == "http":
        while (message := await receive()).get("more_body"):
            pass
        status = 200 if message["type"] == "http.request" else 500
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


@contextmanager
def serve(service: ModelService, **changes: Any) -> Iterator[httpx.Client]:
    """Serve on a free port until the end, in a thread."""
    rest = build_rest(service, Planner(service.settings.checkpoint))
    gate = Gate(page, rest, PATHS, service.settings, **changes)
    server = uvicorn.Server(uvicorn.Config(gate, log_level="critical", lifespan="off"))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # who asks before the server is up waits for it
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


@pytest.fixture(scope="module")
def small(checkpoints: Any) -> ModelService:
    from tests.conftest import tiny_config

    return ModelService(Settings(checkpoint=str(checkpoints(tiny_config(), 0)), max_sentences=4))


@pytest.fixture(scope="module")
def client(small: ModelService) -> Iterator[httpx.Client]:
    with serve(small) as client:
        yield client


def problem_of(response: httpx.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert problem.instance == response.headers["x-request-id"]
    return problem


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_every_endpoint_answers_what_its_question_gives_in_the_shape_that_it_promises(
    endpoint: Any, client: httpx.Client, small: ModelService
) -> None:
    question = QUESTIONS[endpoint.path]
    response = client.post(PREFIX + endpoint.path, json=question)
    assert response.status_code == 200, response.text
    answer = response.json()
    TypeAdapter(endpoint.answer).validate_python(answer, strict=True)
    questions = Questions(small, Planner(small.settings.checkpoint))
    assert answer == json.loads(json.dumps(endpoint.ask(questions, **question)))
    assert len(response.headers["x-request-id"]) == 32


def test_the_model_that_answers_is_described(client: httpx.Client, small: ModelService) -> None:
    answer = client.get(f"{PREFIX}model").json()
    assert answer == json.loads(json.dumps(small.load().as_dict()))
    assert (answer["sources"], answer["passes_per_sentence"], answer["place"]) == ([], 1, "cpu")


def test_embeddings_come_as_bytes_on_wish(client: httpx.Client) -> None:
    for name in ("embed", "analyze"):
        numbers, text = (
            client.post(PREFIX + name, json={"sentences": SENTENCES, "embedding_format": wish}).json()
            for wish in ("float", "base64")
        )
        for one, other in zip(numbers, text, strict=True):
            decoded = np.frombuffer(base64.b64decode(other.pop("embedding")), "<f4")
            assert decoded.tolist() == one.pop("embedding")
            assert one == other


def test_ranked_best_first_with_positions(client: httpx.Client) -> None:
    answer = client.post(f"{PREFIX}rank", json={"query": SENTENCES[1], "sentences": SENTENCES, "n_best": 2}).json()
    first, second = answer["ranked"]
    assert (first["position"], first["text"]) == (1, SENTENCES[1])
    assert first["similarity"] == pytest.approx(1)
    assert second["similarity"] < first["similarity"]


@pytest.mark.parametrize(
    ("name", "question", "status", "words", "sentence"),
    [
        ("classify", {"sentences": []}, 422, "There is no sentence to read", None),
        ("classify", {"sentences": ["fine", " "]}, 422, "Sentence 2: It is blank", 2),
        ("classify", {"sentences": ["fine", 5]}, 422, "Sentence 2: It must be a text, not int.", 2),
        ("classify", {"sentences": "text"}, 422, "must be a list of strings, not str", None),
        ("classify", {"sentences": ["a"] * 5}, 413, "5 sentences were given; at most 4", None),
        ("classify", {"sentences": ["x" * 60_000]}, 413, "60,000 characters; at most 50,000", 1),
        ("classify", {}, 422, "sentences: Field required", None),
        ("classify", {"sentences": ["a"], "model": "x"}, 422, "model: Extra inputs are not permitted", None),
        ("classify", ["a"], 422, "valid dictionary", None),
        ("embed", {"sentences": ["a"], "embedding_format": "x"}, 422, "'float' or 'base64'", None),
        ("embed", {"sentences": ["a"], "prompt": "query"}, 422, "has no prompt 'query'; it has none", None),
        ("rank", {"query": "a", "sentences": []}, 422, "There is no sentence to rank", None),
        ("rank", {"query": 5, "sentences": ["a"]}, 422, "must be a text, not int", 1),
        ("freezing-plan", {"scenario": "x"}, 422, "no scenario", None),
        ("freezing-plan", {"n_frozen_layers": "2"}, 422, "whole number", None),
        ("nothing", {}, 404, "/docs lists", None),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_the_sentence_of_the_page(
    client: httpx.Client, name: str, question: Any, status: int, words: str, sentence: int | None
) -> None:
    response = client.post(PREFIX + name, json=question)
    assert response.status_code == status, response.text
    problem = problem_of(response)
    assert words in problem.detail
    assert problem.sentence == sentence
    assert "x" * 100 not in response.text, "what was given is not repeated"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"sentences":' * 50_000, b'{"sentences": [' + b"1" * 5_000 + b"]}"],
    ids=["none", "cut", "no text", "deep list", "deep object", "huge number"],
)
def test_a_body_that_is_no_json_is_the_callers_fault(client: httpx.Client, body: bytes) -> None:
    response = client.post(f"{PREFIX}classify", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    problem_of(response)


def test_lone_surrogates_and_nul_are_answered(client: httpx.Client) -> None:
    body = b'{"sentences": ["John \\ud800 Paris", "a\\u0000b"]}'
    response = client.post(f"{PREFIX}analyze", content=body, headers={"content-type": "application/json"})
    assert [record["text"] for record in response.json()] == ["John \N{REPLACEMENT CHARACTER} Paris", "a\x00b"]


def test_a_request_keeps_the_id_that_it_brings(client: httpx.Client) -> None:
    ids = [
        client.get("/healthz", headers={"X-Request-ID": own}).headers["x-request-id"] for own in ("my-1", "<b>", "x" * 65)
    ]
    assert ids[0] == "my-1"
    assert all(len(other) == 32 for other in ids[1:])


def test_it_is_ready_when_the_model_is_there(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    with serve(service) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        before, _, after = client.get("/readyz"), service.load(), client.get("/readyz")
        assert (before.status_code, before.json()) == (503, {"status": "loading"})
        assert (after.status_code, after.json()["status"]) == (200, "ready")


def test_a_checkpoint_that_is_none_is_a_problem_of_the_server() -> None:
    with serve(ModelService(Settings(checkpoint="/nowhere"))) as client:
        response = client.post(f"{PREFIX}classify", json={"sentences": ["a"]})
        assert response.status_code == 503
        assert "no checkpoint '/nowhere'" in problem_of(response).detail
        assert response.headers["retry-after"]


def test_a_pass_that_hangs_is_told_by_readyz_and_one_that_is_lost_by_its_request(
    tiny: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    hanging = threading.Event()

    def die(*_: Any) -> Any:
        hanging.wait(10)
        raise SystemExit

    with serve(service) as client, ThreadPoolExecutor(1) as pool:
        service.load()
        with monkeypatch.context() as context:
            context.setattr("mtdemo.inference.forward.run_windows", die)
            context.setattr("mtdemo.rest.application._STALLED_S", 0.2)
            asked = pool.submit(client.post, f"{PREFIX}classify", json={"sentences": ["a"]})
            time.sleep(0.4)
            stalled = client.get("/readyz")
            assert (stalled.status_code, stalled.json()) == (503, {"status": "stalled"})
            hanging.set()
            assert asked.result().status_code == 503
            assert "The computation was lost" in problem_of(asked.result()).detail
        assert client.get("/readyz").status_code == 200
        assert client.post(f"{PREFIX}classify", json={"sentences": ["a"]}).status_code == 200
        assert "mtdemo_inference_restarts_total 1.0" in client.get("/metrics").text


def test_a_model_that_fails_to_load_fails_those_who_wait_and_nobody_after_them(
    tiny: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    may_fail = threading.Event()

    def fail(*_: Any) -> Any:
        may_fail.wait(10)
        raise InvalidCheckpointError("It is damaged.")

    with serve(service) as client, ThreadPoolExecutor(20) as pool:
        with monkeypatch.context() as context:
            context.setattr(service._models._source, "load", fail)
            asked = [pool.submit(client.post, f"{PREFIX}classify", json={"sentences": [str(n)]}) for n in range(20)]
            time.sleep(0.3)
            may_fail.set()
            assert {(answer.result().status_code, answer.result().json()["detail"]) for answer in asked} == {
                (503, "It is damaged.")
            }
        assert client.post(f"{PREFIX}classify", json={"sentences": ["a"]}).status_code == 200


def test_the_numbers_add_up(tiny: Write) -> None:
    with serve(ModelService(Settings(checkpoint=str(tiny())))) as client:
        for sentences in (["the cat"], ["the cat", "the mat"], []):
            client.post(f"{PREFIX}classify", json={"sentences": sentences})
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
    assert lines['mtdemo_requests_total{endpoint="/api/v1/classify",status="200"}'] == "2.0"
    assert lines['mtdemo_requests_total{endpoint="/api/v1/classify",status="422"}'] == "1.0"
    assert lines['mtdemo_request_seconds_count{endpoint="/api/v1/classify"}'] == "3.0"
    assert (lines["mtdemo_forward_passes_total"], lines["mtdemo_word_pieces_total"]) == ("2.0", "8.0")
    assert (lines["mtdemo_cache_hits_total"], lines["mtdemo_cache_misses_total"]) == ("1.0", "2.0")
    assert lines["mtdemo_windows_waiting"] == "0.0"
    assert float(lines["process_resident_memory_bytes"]) > 1e7


class SlowService(ModelService):
    """A service whose answers wait until they may come."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.may_answer, self.gone = threading.Event(), threading.Event()

    def analyze(self, *given: Any, **named: Any) -> Any:
        while not self.may_answer.wait(0.02):
            if not self._is_wanted():
                self.gone.set()
        return super().analyze(*given, **named)


def test_more_than_may_wait_are_told_to_come_back(tiny: Write) -> None:
    service = SlowService(Settings(checkpoint=str(tiny()), max_requests=2))
    with serve(service) as client, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(client.post, f"{PREFIX}classify", json={"sentences": ["a"]}) for _ in range(3)]
        refused = next(answer for answer in _as_completed(asked) if answer.status_code == 429)
        assert "2 requests wait already" in problem_of(refused).detail
        assert refused.headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200
        service.may_answer.set()
        assert sorted(answer.result().status_code for answer in asked) == [200, 200, 429]


def _as_completed(futures: Any) -> Iterator[httpx.Response]:
    from concurrent.futures import as_completed

    return (future.result() for future in as_completed(futures, timeout=10))


def test_who_goes_away_is_noticed(tiny: Write) -> None:
    service = SlowService(Settings(checkpoint=str(tiny())))
    with serve(service) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{PREFIX}classify", json={"sentences": ["a"]}, timeout=0.3)
        assert service.gone.wait(10)
        service.may_answer.set()
        assert client.post(f"{PREFIX}classify", json={"sentences": ["a"]}).status_code == 200


def test_many_who_go_away_leave_nothing_behind(small: ModelService, client: httpx.Client) -> None:
    def ask_and_leave(number: int) -> None:
        with suppress(httpx.TimeoutException):
            httpx.post(f"{client.base_url}{PREFIX}embed", json={"sentences": [f"cat {number}"] * 4}, timeout=0.02)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(ask_and_leave, range(30)))
    deadline = time.monotonic() + 30
    while "mtdemo_windows_waiting 0.0" not in (numbers := client.get("/metrics").text) or "open 1.0" not in numbers:
        assert time.monotonic() < deadline, numbers
        time.sleep(0.05)
    assert client.post(f"{PREFIX}classify", json={"sentences": ["the cat"]}).status_code == 200


def test_a_fault_of_ours_is_told_without_its_traceback(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    monkeypatch.setattr(service._analyzer, "analyze", lambda *_: 1 / 0)
    with serve(service) as client:
        response = client.post(f"{PREFIX}classify", json={"sentences": ["a"]})
    assert response.status_code == 500
    assert "fault of the server" in problem_of(response).detail
    assert "ZeroDivision" not in response.text


def test_requests_of_many_callers_share_passes(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), max_cache_bytes=0))
    service.load()
    with serve(service) as client, ThreadPoolExecutor(16) as pool:
        texts = [f"the cat {'sat ' * (n % 7)}on mat" for n in range(160)]
        answers = list(pool.map(lambda text: client.post(f"{PREFIX}analyze", json={"sentences": [text]}), texts))
    assert [answer.json()[0]["text"] for answer in answers] == texts
    assert service.n_forward_passes < 160


def test_the_documentation_lists_everything_and_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    document, openapi = client.get("/docs").text, client.get("/openapi.json").json()
    for endpoint in ENDPOINTS:
        assert f"POST {PREFIX}{endpoint.path}" in document
        assert set(openapi["paths"][PREFIX + endpoint.path]["post"]["responses"]) == {
            "200",
            "400",
            "413",
            "422",
            "429",
            "503",
        }
    assert "John lives in Paris." in document
    assert "http" not in document.replace("RFC 9457", "")


class TestGate:
    """What stands before page and interface alike."""

    def test_what_is_not_of_the_interface_is_the_pages(self, client: httpx.Client) -> None:
        assert [client.get(path).text for path in ("/", "/api", "/docsx", "/gradio_api/info")] == ["page"] * 4

    @pytest.mark.parametrize("path", ["/gradio_api/queue/join", f"{PREFIX}classify"])
    def test_a_body_beyond_the_limit_is_refused_whether_its_length_is_told_or_not(
        self, client: httpx.Client, path: str
    ) -> None:
        for body in (b"x" * 10_000_000, (b"x" * 100_000 for _ in range(100))):
            response = client.post(path, content=body, headers={"content-type": "application/json"})
            assert response.status_code == 413
            assert "at most 5,000,000 bytes" in problem_of(response).detail
        assert client.post("/upload", content=b"x" * 4_900_000).text == "page"

    def test_room_is_made_before_a_file_is_taken_in(self, small: ModelService) -> None:
        asked: list[int] = []
        with serve(small, make_room=asked.append) as client:
            assert client.post("/gradio_api/upload", content=b"x").text == "page"
            assert client.post("/gradio_api/queue/join", content=b"x").text == "page"
        assert asked == [5_000_000]

    def test_who_asks_too_often_is_told_when_to_come_back(self, tiny: Write) -> None:
        service = ModelService(Settings(checkpoint=str(tiny()), requests_per_minute=12))
        with serve(service) as client:
            assert client.post("/gradio_api/upload").status_code == 200, "which counts for ten"
            answers = [client.post(f"{PREFIX}classify", json={"sentences": ["a"]}) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert "more often than this server allows" in problem_of(answers[2]).detail
            assert 1 <= int(answers[2].headers["retry-after"]) <= 5
            assert client.post("/gradio_api/queue/join").status_code == 429
            assert [client.get(path).status_code for path in ("/", "/healthz")] == [200, 200]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"Host": "localhost:7860"}, 200),
            ({"Host": "[::1]:7860", "Origin": "http://127.0.0.1:7860"}, 200),
            ({"Host": "evil.example"}, 403),
            ({"Host": "127.0.0.1.evil.example"}, 403),
            ({"Host": "["}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
        ],
    )
    def test_on_loopback_only_its_names_are_answered(
        self, client: httpx.Client, headers: dict[str, str], status: int
    ) -> None:
        for path in ("/", "/healthz"):
            assert client.get(path, headers=headers).status_code == status

    @pytest.mark.parametrize(
        ("settings", "names"),
        [
            (Settings(), {"localhost", "127.0.0.1", "::1"}),
            (Settings(trusted_hosts="Demo.example, other"), {"localhost", "127.0.0.1", "::1", "demo.example", "other"}),
            (Settings(trusted_hosts="*"), None),
            (Settings(host="0.0.0.0"), None),  # noqa: S104
            (Settings(host="0.0.0.0", trusted_hosts="demo"), {"demo", "localhost", "127.0.0.1", "::1"}),  # noqa: S104
        ],
    )
    def test_the_setting_adds_names(self, settings: Settings, names: set[str] | None) -> None:
        assert trusted_hosts(settings) == names


def test_the_server_is_quick_to_say_that_it_lives_while_it_computes(tiny: Write) -> None:
    service = SlowService(Settings(checkpoint=str(tiny())))
    with serve(service) as client, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.post, f"{PREFIX}classify", json={"sentences": ["a"]}) for _ in range(8)]
        start = time.monotonic()
        assert client.get("/healthz").status_code == 200
        assert time.monotonic() - start < 2
        service.may_answer.set()
        assert {answer.result().status_code for answer in asked} == {200}
