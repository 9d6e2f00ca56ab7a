"""Replicas of the REST interface on a Ray cluster, by Ray Serve."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import from_thread, to_thread

from mtdemo.cluster.connection import settings_of_workers
from mtdemo.config import Settings, prepare_environment
from mtdemo.errors import SettingsError
from mtdemo.results import Analysis, ProgressCallback, no_progress
from mtdemo.serving.service import ModelService

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_APP = "mtdemo"  # by which the cluster knows it
_WINDOW_S = 0.002  # in which questions are gathered into a batch
_N_BATCHES = 4  # that a replica works on; the others wait in Ray's line
_CHARACTERS_PER_PIECE = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of replicas, and of requests that each takes.

    Attributes:
        least: replicas that are always there.
        most: replicas under load; Ray starts and stops those between.
        at_once: requests that a replica takes; the others wait in front.
    """

    least: int
    most: int
    at_once: int


@contextmanager
def serving(settings: Settings, scale: Scale) -> Iterator[str]:
    """Serve the REST interface on the cluster that was joined.

    Args:
        settings: where to listen, and the limits of each replica.
        scale: how many replicas.

    Yields:
        Where it is, once the first replicas have their models.

    Raises:
        SettingsError: the port cannot be used.
    """
    from ray import serve

    settings = settings_of_workers(settings)

    def build() -> ASGIApp:  # Ray calls only what is a plain function
        return build_replica(settings)

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    try:
        serve.start(http_options={"host": settings.host, "port": settings.port})
    except RuntimeError as error:
        if "bind" not in str(error):
            raise
        serve.shutdown()  # it began without what listens
        raise SettingsError(
            f"Port {settings.port} of {settings.host} cannot be used on the cluster. Try --port."
        ) from error
    deployment = serve.deployment(serve.ingress(build)()).options(
        name=_APP,
        max_ongoing_requests=scale.at_once,
        max_queued_requests=settings.max_requests,
        ray_actor_options={"num_cpus": settings.threads},
        logging_config={"log_level": "ERROR", "enable_access_log": False},
        autoscaling_config={
            "min_replicas": scale.least,
            "max_replicas": scale.most,
            "target_ongoing_requests": max(1, scale.at_once // 2),
        },
    )
    try:
        serve.run(deployment.bind(), name=_APP, route_prefix="/")
        yield f"http://{settings.host}:{settings.port}"
    finally:
        serve.delete(_APP)


def build_replica(settings: Settings) -> ASGIApp:
    """Build the interface in a replica, and load its model."""
    prepare_environment()
    from mtdemo.planning.planner import Planner
    from mtdemo.rest.application import PATHS, build_rest
    from mtdemo.rest.gate import Gate, refuse_path

    service = _BatchedService(settings)
    service.load()
    return Gate(refuse_path, build_rest(service, Planner(settings.checkpoint)), PATHS, settings)


@dataclass(frozen=True, slots=True)
class _Question:
    """Work of one request, and about how large it is."""

    answer: Callable[[], Analysis]
    n_tokens: int


class _BatchedService(ModelService):
    """A service whose questions Ray gathers into batches."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        from ray import serve

        budget = settings.tokens_per_batch

        def count_tokens(questions: Sequence[_Question]) -> int:
            return sum(min(question.n_tokens, budget) for question in questions)  # a long one is a batch of its own

        self._ask = serve.batch(
            max_batch_size=budget,
            batch_wait_timeout_s=_WINDOW_S,
            max_concurrent_batches=_N_BATCHES,
            batch_size_fn=count_tokens,
        )(_answer_together)

    def analyze(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        max_length: int | None = None,
        progress: ProgressCallback = no_progress,
        prompt: str | None = None,
    ) -> Analysis:
        """Answer as `ModelService.analyze` does, in Ray's turn.

        It is called from a thread of the REST interface.
        """
        answer = partial(super().analyze, sentences, model, max_length, progress, prompt)
        n_tokens = sum(2 + len(sentence) // _CHARACTERS_PER_PIECE for sentence in sentences if isinstance(sentence, str))
        answered: Analysis | Exception = from_thread.run(self._ask, _Question(answer, n_tokens))
        if isinstance(answered, Exception):
            raise answered
        return answered


async def _answer_together(questions: Sequence[_Question]) -> list[Any]:
    """Answer the questions of a batch, each by itself.

    An error is the answer of its question alone. They meet again in the line before the model, which cuts passes by the
    word pieces that there are.
    """
    return await asyncio.gather(*(to_thread.run_sync(question.answer) for question in questions), return_exceptions=True)
