"""The REST interface: a small FastAPI app in front of the page, on the same service."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from starlette.types import ASGIApp

import mtdemo
from mtdemo.errors import TooBusyError
from mtdemo.planning.planner import Planner
from mtdemo.rest import explanation_schemas, schemas
from mtdemo.rest.documentation import write_page
from mtdemo.rest.metrics import CountedApp, Metrics
from mtdemo.rest.problems import add_handlers
from mtdemo.rest.questions import Questions
from mtdemo.serving.service import ModelService

PREFIX = "/api/v1/"
PATHS = (PREFIX, "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics")
_N_THREADS = 32  # requests that are computed together; the others wait in line
_STALLED_S = 120.0  # of one forward pass, which takes seconds at most
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "description": description}
    for status, description in (
        (400, "The body is no JSON"),
        (413, "More than a limit allows"),
        (422, "It cannot be answered; `detail` says why"),
        (429, "Too many wait; `Retry-After` says when to come back"),
        (503, "The model cannot be loaded, or the computation was lost"),
    )
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of the interface.

    Attributes:
        path: below `PREFIX`.
        ask: a method of `Questions`; it is given the fields of the question by name.
        question: their shape.
        answer: the shape of what it returns.
    """

    path: str
    ask: Callable[..., Any]
    question: type[BaseModel]
    answer: Any


ENDPOINTS = (
    Endpoint("embed", Questions.embed, schemas.EmbeddingQuestion, list[schemas.Embedding]),
    Endpoint("similarity", Questions.similarity, schemas.SentencesQuestion, schemas.SimilarityMatrix),
    Endpoint("classify", Questions.classify, schemas.SentencesQuestion, list[schemas.Classification]),
    Endpoint("entities", Questions.entities, schemas.SentencesQuestion, list[schemas.Entities]),
    Endpoint("analyze", Questions.analyze, schemas.EmbeddingQuestion, list[schemas.FullAnalysis]),
    Endpoint("rank", Questions.rank, schemas.RankQuestion, schemas.Ranking),
    Endpoint("explain", Questions.explain, explanation_schemas.SentenceQuestion, explanation_schemas.Occlusion),
    Endpoint("pieces", Questions.pieces, explanation_schemas.SentenceQuestion, explanation_schemas.Pieces),
    Endpoint("what-if", Questions.what_if, explanation_schemas.VersionsQuestion, explanation_schemas.Change),
    Endpoint("try-variants", Questions.try_variants, explanation_schemas.SentenceQuestion, explanation_schemas.Stability),
    Endpoint("swap-names", Questions.swap_names, explanation_schemas.SentenceQuestion, explanation_schemas.Stability),
    Endpoint("attribute", Questions.attribute, explanation_schemas.AttributionQuestion, explanation_schemas.Attribution),
    Endpoint("shared-words", Questions.shared_words, explanation_schemas.PairQuestion, explanation_schemas.SharedWords),
    Endpoint("freezing-plan", Questions.freezing_plan, schemas.PlanQuestion, schemas.Plan),
)


def build_rest(service: ModelService, planner: Planner) -> ASGIApp:
    """Build the interface, without loading anything.

    Args:
        service: answers about sentences, and has the limits.
        planner: plans what trains.
    """
    app = FastAPI(title="mtdemo", version=mtdemo.__version__, docs_url=None, redoc_url=None)
    metrics = Metrics(service)
    desk = _Desk(service, planner)
    add_handlers(app)
    for endpoint in ENDPOINTS:
        desk.add(app, endpoint)
    _add_states(app, service, metrics)
    return CountedApp(app, metrics, {PREFIX + path for path in ("model", *(endpoint.path for endpoint in ENDPOINTS))})


def _add_states(app: FastAPI, service: ModelService, metrics: Metrics) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the server runs."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"description": "The model is not in memory yet, or a forward pass hangs"}})
    async def readyz(response: Response) -> dict[str, str]:
        """Say whether the model is in memory and computes."""
        info = service.loaded()
        is_stalled = service.counts.seconds_at_pass > _STALLED_S
        response.status_code = 200 if info and not is_stalled else 503
        if is_stalled:
            return {"status": "stalled"}
        return {"status": "ready", "model": info.id} if info else {"status": "loading"}

    @app.get(PREFIX + "model")
    def model() -> dict[str, Any]:
        """Describe the model that answers: labels, pooling, prompts, sources."""
        return service.load().as_dict()

    @app.get("/metrics", include_in_schema=False)
    async def numbers() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(write_page(app.openapi()))


class _Desk:
    """Takes requests in, as many as may wait."""

    def __init__(self, service: ModelService, planner: Planner) -> None:
        self._service = service
        self._planner = planner
        self._max_requests = service.settings.max_requests
        self._n_open = 0
        self._limiter: CapacityLimiter | None = None  # needs a running event loop

    def add(self, app: FastAPI, endpoint: Endpoint) -> None:
        """Add the route of an endpoint."""

        async def answer(question: Any, request: Request) -> Response:
            return await self._answer(endpoint, question, request)

        answer.__annotations__["question"] = endpoint.question
        answer.__name__ = endpoint.path.replace("-", "_")
        app.post(
            PREFIX + endpoint.path,
            response_model=endpoint.answer,
            responses=_PROBLEMS,
            description=endpoint.ask.__doc__,
        )(answer)

    async def _answer(self, endpoint: Endpoint, question: BaseModel, request: Request) -> Response:
        """Let a thread answer, until whoever asked goes away."""
        if self._n_open >= self._max_requests:
            raise TooBusyError(f"{self._max_requests:,} requests wait already. Try again in a moment.")
        if self._limiter is None:
            self._limiter = CapacityLimiter(_N_THREADS)
        gone = threading.Event()
        watch = asyncio.create_task(_watch(request, gone))
        self._n_open += 1
        try:
            content = await to_thread.run_sync(self._write_answer, endpoint, question, gone, limiter=self._limiter)
        finally:
            self._n_open -= 1
            watch.cancel()
        return Response(content, media_type="application/json")

    def _write_answer(self, endpoint: Endpoint, question: BaseModel, gone: threading.Event) -> bytes:
        """Write an answer down, beside the event loop."""
        fields = {name: getattr(question, name) for name in type(question).model_fields}
        embedding_format = fields.pop("embedding_format", "float")
        questions = Questions(self._service.while_wanted(lambda: not gone.is_set()), self._planner)
        answer = endpoint.ask(questions, **fields)
        if embedding_format == "base64":
            answer = [{**record, "embedding": _as_base64(record["embedding"])} for record in answer]
        return orjson.dumps(answer)


async def _watch(request: Request, gone: threading.Event) -> None:
    """Notice that whoever asked has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _as_base64(numbers: list[float]) -> str:
    """Write little-endian float32 as base64: `[1.0] -> AACAPw==`."""
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode("ascii")
