"""Token buckets, networks and proxies: who is counted, and how much is too much."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from dispatcher.web.asking import address_of, network_of
from dispatcher.web.limits import MOST_KEPT, Limiter
from dispatcher.web.words import best_language, languages


def scope(client: str, *forwarded: str) -> Scope:
    return {"client": (client, 1), "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded]}


def test_a_bucket_gives_its_burst_then_makes_you_wait_and_fills_again() -> None:
    limiter = Limiter(per_minute=60, burst=3)
    assert [limiter.take("a", 0) for _ in range(3)] == [0, 0, 0]
    assert limiter.take("a", 0) == pytest.approx(1)
    assert limiter.take("b", 0) == 0, "another one's bucket is full"
    assert limiter.take("a", 0.5) == pytest.approx(0.5)
    assert limiter.take("a", 1.01) == 0
    assert [limiter.take("a", 1000) for _ in range(4)] == [0, 0, 0, pytest.approx(1)]


def test_a_clock_that_stands_still_or_a_flood_of_keys_costs_bounded_memory() -> None:
    limiter = Limiter(per_minute=1)
    for number in range(MOST_KEPT + 100):
        limiter.take(str(number), 0)
    assert len(limiter._buckets) == MOST_KEPT


@pytest.mark.parametrize(
    ("client", "forwarded", "found"),
    [
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),  # not a proxy of ours: its word counts for nothing
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # what the visitor wrote himself stands before
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("", ["203.0.113.9"], "0.0.0.0"),
    ],
)
def test_only_trusted_proxies_are_believed(client: str, forwarded: list[str], found: str) -> None:
    assert address_of(scope(client, *forwarded), ["127.0.0.1/32", "10.0.0.0/8"]) == found


def test_what_is_counted_is_the_network() -> None:
    assert network_of("203.0.113.77") == "203.0.113.0/24"
    assert network_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.77") == "203.0.113.0/24"
    assert network_of("not an address") == "0.0.0.0/24"


def test_pages_speak_what_the_visitor_likes_best_among_what_they_know() -> None:
    assert best_language("", "en") == "en"
    assert best_language("xx, *;q=0.1", "en") == "en"
    for code in languages():
        assert best_language(f"xx;q=1, {code};q=0.8, en;q=0.1", "en") == code
        assert best_language(f"{code}-AT,en;q=0.3", "en") == code
        assert best_language("", code) == code
    assert best_language("en;q=0, de;q=garbage," + "x" * 10_000, "xx") == "en"
