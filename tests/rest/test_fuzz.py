"""A few hundred random requests; `python -m benchmarks.fuzz_rest` makes 10,000."""

from __future__ import annotations

import logging

import httpx
import pytest

from benchmarks.fuzz_rest import fuzz
from mtdemo.rest.application import ENDPOINTS
from mtdemo.serving.service import ModelService
from tests.rest.test_application import client, small  # noqa: F401 - fixtures


@pytest.mark.filterwarnings("ignore")  # of schemathesis and its libraries
def test_no_request_is_a_fault_of_the_server(
    client: httpx.Client,  # noqa: F811
    small: ModelService,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("schemathesis", reason="it is not installed: pip install -r requirements-dev.txt")
    with caplog.at_level(logging.WARNING):
        counts = fuzz(client, 280)
    assert counts.total() >= 280
    assert len({path for path, _ in counts}) == len(ENDPOINTS)
    assert {200, 422} <= {status for _, status in counts}
    assert not [record for record in caplog.records if record.exc_info]
