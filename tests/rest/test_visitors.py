from typing import Any

import pytest
from starlette.datastructures import Headers

from mtdemo.rest.visitors import RateLimit, find_visitor


def name(peer: str, *forwarded: str, n_proxies: int = 0) -> str:
    headers = Headers(raw=[(b"x-forwarded-for", line.encode()) for line in forwarded])
    scope: dict[str, Any] = {"client": (peer, 1234) if peer else None}
    return find_visitor(scope, headers, n_proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "n_proxies", "visitor"),
    [
        ("9.9.9.9", (), 0, "9.9.9.9"),
        ("9.9.9.9", ("8.8.8.8",), 0, "9.9.9.9"),  # no proxy is known, so nobody's word counts
        ("10.0.0.1", ("8.8.8.8",), 1, "8.8.8.8"),
        ("10.0.0.1", ("1.1.1.1, 8.8.8.8",), 1, "8.8.8.8"),  # the visitor wrote the first
        ("10.0.0.1", ("1.1.1.1", "8.8.8.8"), 1, "8.8.8.8"),
        ("10.0.0.1", ("8.8.8.8, 9.9.9.9",), 2, "8.8.8.8"),
        ("10.0.0.1", ("8.8.8.8, 10.0.0.7",), 1, "8.8.8.8"),  # one proxy more than was said
        ("10.0.0.1", (), 1, "10.0.0.1"),
        ("10.0.0.1", ("<script>",), 1, ""),
        ("", (), 0, ""),
        ("2a00:1450:4001:81b::200e", (), 0, "2a00:1450:4001:81b::/64"),
        ("::ffff:8.8.8.8", (), 0, "8.8.8.8"),
    ],
)
def test_a_visitor_is_who_the_last_proxy_saw(peer: str, forwarded: tuple[str, ...], n_proxies: int, visitor: str) -> None:
    assert name(peer, *forwarded, n_proxies=n_proxies) == visitor


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_up_again() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    assert [limit.take("a") for _ in range(60)] == [0.0] * 60
    assert limit.take("a") == pytest.approx(1)
    assert limit.take("b") == 0.0, "others have buckets of their own"
    clock.now = 2.0
    assert [limit.take("a") for _ in range(2)] == [0.0] * 2
    assert limit.take("a", 10) == pytest.approx(10)
    clock.now = 1_000.0
    assert limit.take("a", 1_000) == 0.0, "what can never be there is a full bucket"
    assert limit.take("a") > 0


def test_who_waits_as_long_as_told_is_answered() -> None:
    clock = Clock()
    limit = RateLimit(7, clock)
    for n in range(100):
        wait = limit.take("a", 1 + n % 7)
        if wait:
            clock.now += wait + 1e-9
            assert limit.take("a", 1 + n % 7) == 0.0


def test_without_a_limit_nothing_is_remembered_and_with_one_a_bounded_number() -> None:
    free, limited = RateLimit(0), RateLimit(1)
    for n in range(20_000):
        assert free.take(str(n)) == limited.take(str(n)) == 0.0
    assert (len(free._buckets), len(limited._buckets)) == (0, 10_000)
