"""Numbers for a monitor, as Prometheus reads them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtdemo.serving.service import ModelService

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts of requests, of the service's work and of memory.

    Args:
        service: whose work is counted.
    """

    def __init__(self, service: ModelService) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("mtdemo_requests", "REST requests answered", ["endpoint", "status"], registry=registry)
        self.seconds = Histogram(
            "mtdemo_request_seconds", "from request to answer", ["endpoint"], registry=registry, buckets=_SECONDS
        )
        self.open = Gauge("mtdemo_requests_open", "REST requests that wait or are answered", registry=registry)
        registry.register(_ServiceCollector(service))
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """Write all numbers down."""
        return generate_latest(self._registry)


class CountedApp:
    """An ASGI app of which requests are counted and timed.

    Args:
        app: answers.
        metrics: what counts.
        paths: that are counted each by itself; all others are together.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        status, start = "none", time.perf_counter()  # where whoever asked has gone

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        self._metrics.open.inc()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.open.dec()
            self._metrics.requests.labels(path, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)


class _ServiceCollector(Collector):
    """Counts of the service, read when they are asked for."""

    def __init__(self, service: ModelService) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Read the counts of the service."""
        counts = self._service.counts
        yield CounterMetricFamily("mtdemo_forward_passes", "forward passes", value=counts.n_forward_passes)
        yield CounterMetricFamily("mtdemo_word_pieces", "word pieces read by forward passes", value=counts.n_tokens)
        yield CounterMetricFamily("mtdemo_cache_hits", "sentences known already", value=counts.n_known)
        yield CounterMetricFamily("mtdemo_cache_misses", "sentences computed", value=counts.n_computed)
        yield GaugeMetricFamily("mtdemo_cache_bytes", "memory of the results kept", value=counts.n_cache_bytes)
        yield GaugeMetricFamily("mtdemo_windows_waiting", "windows that wait for a forward pass", value=counts.n_waiting)
        yield CounterMetricFamily(
            "mtdemo_inference_restarts", "deaths of the thread that computes", value=counts.n_restarts
        )
        yield GaugeMetricFamily("mtdemo_pass_seconds", "since what is computed now began", value=counts.seconds_at_pass)
