"""What stands before page and REST interface alike: whom the server answers, how much it reads, and the ids of requests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit
from uuid import uuid4

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtdemo.config import LOOPBACK, MAX_BODY_BYTES, Settings
from mtdemo.rest.problems import respond
from mtdemo.rest.visitors import RateLimit, find_visitor

_UPLOAD = "/gradio_api/upload"
_COST_OF_UPLOAD = 10  # requests
_GIVEN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def trusted_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names by which the server may be asked.

    A page of a stranger can let a name of its own point to this machine, and would so read what is served on loopback
    (DNS rebinding). Elsewhere the names of a server are not known, so any is allowed unless the setting lists some.

    Returns:
        Host names in lower case without ports; None for any.
    """
    names = {name.strip().lower() for name in settings.trusted_hosts.split(",")} - {"", "auto"}
    if "*" in names or (not names and settings.host not in LOOPBACK):
        return None
    return frozenset({*names, *LOOPBACK})


class Gate:
    """An ASGI app in front of the page.

    It gives every request an id, refuses hosts that are not trusted, visitors who ask too often and bodies that are too
    large, and hands what belongs to the REST interface to that.

    Args:
        app: the page.
        rest: the REST interface.
        paths: of the REST interface; those that end in `/` stand for all below.
        settings: whom it answers, and how often.
        make_room: called with a number of bytes before a file of so many is taken in.
        max_bytes: of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        rest: ASGIApp,
        paths: Collection[str],
        settings: Settings,
        make_room: Callable[[int], None] = lambda n_bytes: None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._page, self._rest, self._make_room, self._max_bytes = app, rest, make_room, max_bytes
        self._hosts, self._n_proxies = trusted_hosts(settings), settings.proxies
        self._rate = RateLimit(settings.requests_per_minute)
        self._paths = frozenset(paths)
        self._below = tuple(path for path in paths if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._page(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        exchange = _Exchange(scope, receive, send, request_id, self._max_bytes)
        if not self._is_trusted(headers):
            await exchange.refuse(403, "This server is not known by that name. The setting trusted_hosts lists its names.")
        elif wait_s := self._wait(scope, headers):
            await exchange.refuse(429, "You ask more often than this server allows. Try again in a moment.", wait_s)
        elif _declared_length(headers) > self._max_bytes:
            await exchange.refuse_body()
        else:
            if scope["path"] == _UPLOAD:
                await to_thread.run_sync(self._make_room, self._max_bytes)
            is_rest = scope["path"] in self._paths or scope["path"].startswith(self._below)
            await (self._rest if is_rest else self._page)(scope, exchange.receive, exchange.send)

    def _wait(self, scope: Scope, headers: Headers) -> float:
        """Count a question; else give the seconds to wait.

        The files of the page and its open connections are asked for by GET, and not counted.
        """
        if scope["method"] in ("GET", "HEAD"):
            return 0.0
        cost = _COST_OF_UPLOAD if scope["path"] == _UPLOAD else 1
        return self._rate.take(find_visitor(scope, headers, self._n_proxies), cost)

    def _is_trusted(self, headers: Headers) -> bool:
        if self._hosts is None:
            return True
        asked = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
        return all(_name_of(address) in self._hosts for address in asked)


class _Exchange:
    """A request and its response, watched while they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str, max_bytes: int) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._request_id, self._max_bytes = request_id, max_bytes
        self._n_bytes = 0
        self._is_refused = False

    async def receive(self) -> Message:
        """Receive a part of the body, up to the limit."""
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        return message if self._n_bytes <= self._max_bytes else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the response, or the refusal instead."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            if self._n_bytes > self._max_bytes:
                await self.refuse_body()
                return
            MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
        await self._send(message)

    async def refuse_body(self) -> None:
        """Answer that the body is too large."""
        await self.refuse(413, f"The request is too large; at most {self._max_bytes:,} bytes are read. Send it in parts.")

    async def refuse(self, status: int, detail: str, wait_s: float = 0.0) -> None:
        """Answer with a problem."""
        self._is_refused = True
        response = respond(status, detail, self._request_id)
        if wait_s:
            response.headers["Retry-After"] = str(math.ceil(wait_s))
        response.headers["X-Request-ID"] = self._request_id
        await response(self._scope, self._receive, self._send)


def _declared_length(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _name_of(address: str) -> str:
    """Read the host of an address.

    `http://[::1]:80/x -> ::1`, and nothing from what is no address.
    """
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


async def refuse_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where there is no page: nothing else is served."""
    if scope["type"] == "http":
        response = respond(404, "There is no page here. /docs lists what there is.", scope["state"]["request_id"])
        await response(scope, receive, send)
