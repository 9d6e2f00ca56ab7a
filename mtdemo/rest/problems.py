"""Errors as problem details (RFC 9457), with the sentences that the page shows."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mtdemo.errors import CheckpointError, InputError, MtdemoError, PassLostError, TooBusyError, TooMuchInputError
from mtdemo.rest.schemas import Problem

# The first kind that fits says the status.
STATUSES: tuple[tuple[type[MtdemoError], int], ...] = (
    (TooMuchInputError, 413),
    (TooBusyError, 429),
    (CheckpointError, 503),
    (PassLostError, 503),
    (MtdemoError, 422),
)
RETRY_AFTER_S = {429: "1", 503: "10"}
_MAX_VALIDATION_ERRORS = 5


def respond(status: int, detail: str, request_id: str, sentence: int | None = None) -> Response:
    """Make the response for an error.

    Args:
        status: of HTTP.
        detail: what was given, what is allowed, what to do.
        request_id: by which the request is found in the log.
        sentence: number of the sentence that it is about.
    """
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request_id, sentence=sentence)
    headers = {"Retry-After": RETRY_AFTER_S[status]} if status in RETRY_AFTER_S else {}
    content = problem.model_dump_json(exclude_none=True)
    return Response(content, status, headers, media_type="application/problem+json")


def add_handlers(app: FastAPI) -> None:
    """Let an app answer errors by problem details.

    Anything else that escapes is a bug: its traceback is logged, and the caller is told no more than that.
    """
    app.add_exception_handler(MtdemoError, _known)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _unknown)


def _id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _known(request: Request, error: Any) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return respond(status, str(error), _id_of(request), error.sentence if isinstance(error, InputError) else None)


def _misshapen(request: Request, error: Any) -> Response:
    """Name the fields that are wrong, without repeating them."""
    errors = error.errors()[:_MAX_VALIDATION_ERRORS]
    told = [f"{'.'.join(str(step) for step in one['loc'][1:]) or 'body'}: {one['msg']}" for one in errors]
    return respond(422, f"The request has another shape than /docs says. {'; '.join(told)}.", _id_of(request))


def _refused(request: Request, error: Any) -> Response:
    if error.status_code == 400:
        return respond(400, "The body is no JSON that can be read. Send one object, as /docs shows.", _id_of(request))
    return respond(error.status_code, f"{error.detail}. /docs lists what there is.", _id_of(request))


def _unknown(request: Request, _: Exception) -> Response:
    return respond(500, "This is a fault of the server; it is in its log.", _id_of(request))
