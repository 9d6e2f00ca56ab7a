"""Random requests against the REST interface's own description: no fault of the server, no traceback.

    python -m benchmarks.fuzz_rest [--cases 10000] [--seed 0]

schemathesis makes requests that fit `/openapi.json`, and as many that do not: wrong types, lost and strange fields, bodies
that are no JSON. The server runs in this process, on loopback, with the page in front as always. Every answer must have a
status that the description names for its endpoint; an error must be a problem with a sentence and the id of its request.
Prints how many answers had which status. The exit status is 1 where an answer was not so, or a traceback was logged.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mtdemo.config import Settings, prepare_environment

prepare_environment()

import httpx  # noqa: E402

METHOD_AND_STATUS = tuple[str, int]


def fuzz(client: httpx.Client, n_cases: int, seed: int = 0) -> Counter[METHOD_AND_STATUS]:
    """Ask as many random questions as wanted, at least one of each kind at each endpoint.

    Raises:
        ValueError: an answer is not as the description says; the message has the request.
    """
    import schemathesis

    openapi = client.get("/openapi.json").raise_for_status().json()
    counts: Counter[METHOD_AND_STATUS] = Counter()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(openapi).get_all_operations()]
    asked = [one for one in operations if one.method == "post"]
    each = max(1, n_cases // (len(asked) * len(schemathesis.GenerationMode)))
    for operation in asked:
        documented = {int(status) for status in openapi["paths"][operation.path]["post"]["responses"]}
        for mode in schemathesis.GenerationMode:
            _run(
                operation.as_strategy(generation_mode=mode),
                each,
                seed,
                lambda case, its=documented: counts.update([(case.path, _check(client, case, its))]),
            )
    return counts


def _run(strategy: Any, n_cases: int, seed: int, ask: Callable[[Any], None]) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    @seeded(seed)
    @settings(
        max_examples=n_cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        ask(case)

    run()


def _check(client: httpx.Client, case: Any, documented: set[int]) -> int:
    body = case.body if isinstance(case.body, (bytes, dict, list, str, int, float, bool, type(None))) else b""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(case.path, content=content, headers={"content-type": "application/json"})
    if not _is_as_described(answer, documented):
        raise ValueError(f"{case.path} {content[:500]!r} -> {answer.status_code} {answer.text[:500]}")
    return answer.status_code


def _is_as_described(answer: httpx.Response, documented: set[int]) -> bool:
    if answer.status_code not in documented or "Traceback" in answer.text:
        return False
    if answer.status_code < 400:
        return True
    is_problem = answer.headers["content-type"] == "application/problem+json"
    return is_problem and answer.json()["detail"] and answer.json()["instance"] == answer.headers["x-request-id"]


class _Tracebacks(logging.Handler):
    """Counts what was logged with a traceback."""

    n_logged = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n_logged += record.exc_info is not None


def main() -> int:
    from benchmarks.soak import free_port
    from mtdemo.ui.launch import start

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tracebacks = _Tracebacks()
    for name in ("", "uvicorn.error"):
        logging.getLogger(name).addHandler(tracebacks)
    page, service = start(replace(Settings(), port=free_port()))
    service.load()
    try:
        with httpx.Client(base_url=page.local_url, timeout=120) as client:
            counts = fuzz(client, options.cases, options.seed)
    finally:
        page.close(verbose=False)
    for (path, status), number in sorted(counts.items()):
        print(f"{number:>7,} {status} {path}")
    print(f"{counts.total():,} requests, {tracebacks.n_logged} tracebacks")
    return int(tracebacks.n_logged > 0)


if __name__ == "__main__":
    raise SystemExit(main())
