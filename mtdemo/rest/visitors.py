"""Visitors, told apart by their addresses, and how often each may ask."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Scope

_MAX_VISITORS = 10_000  # that are remembered; who has not asked for longest is forgotten
_NETWORK_BITS = 64  # of an address of version 6: a household has that many to choose from


def find_visitor(scope: Scope, headers: Headers, n_proxies: int) -> str:
    """Name whoever asks by an address, or by its network.

    Each proxy in front appends the address of whoever asked it to `X-Forwarded-For`. What stands before those entries came
    from the visitor, who may write there whatever they like. Addresses of a private network are those of more proxies.

    Args:
        scope: of the request.
        headers: of the request.
        n_proxies: how many proxies stand in front.

    Returns:
        An address of version 4, the network of one of version 6, or an empty text where there is none.
    """
    peer = (scope.get("client") or ("",))[0]
    told = [entry.strip() for line in headers.getlist("x-forwarded-for") for entry in line.split(",")]
    seen = [peer, *reversed(told)] if n_proxies else [peer]
    addresses = [address for text in seen[n_proxies:] or seen[-1:] if (address := _read_address(text))]
    visitor = next((address for address in addresses if not address.is_private), addresses[0] if addresses else None)
    if isinstance(visitor, ipaddress.IPv6Address):
        return str(visitor.ipv4_mapped or ipaddress.ip_network((visitor, _NETWORK_BITS), strict=False))
    return str(visitor or "")


def _read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class RateLimit:
    """A bucket of requests per visitor, which fills up steadily.

    Args:
        per_minute: requests that flow in within a minute, and that a full bucket has; 0 for any number.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, at what time

    def take(self, visitor: str, n_requests: int = 1) -> float:
        """Take requests out of a visitor's bucket.

        Args:
            visitor: as `find_visitor` names them.
            n_requests: what this one counts for, at most `per_minute`.

        Returns:
            0 where they were there; else nothing is taken, and these are the seconds until they will be.
        """
        if not self._per_minute:
            return 0.0
        now, per_second = self._clock(), self._per_minute / 60
        left, since = self._buckets.pop(visitor, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * per_second)
        wanted = min(n_requests, self._per_minute)
        is_there = left >= wanted
        self._buckets[visitor] = (left - wanted if is_there else left, now)
        if len(self._buckets) > _MAX_VISITORS:
            self._buckets.popitem(last=False)
        return 0.0 if is_there else (wanted - left) / per_second
