"""When the owner of a source hears of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from builders import source

from dispatcher.sources.health import BLIPS, PATIENCE, Health, News, examine
from dispatcher.sources.http import Failure

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DOWN, GONE = Failure("down"), Failure("gone", is_permanent=True, status=410)


def test_a_blip_is_remembered_and_told_to_nobody() -> None:
    assert examine(source(NOW), DOWN, NOW) == Health(NOW, None)
    assert examine(source(NOW, failures=1, broken_since=NOW - PATIENCE), None, NOW) == Health(None, None)


def test_neither_many_failures_at_once_nor_few_over_a_long_time_are_news() -> None:
    assert examine(source(NOW, failures=50, broken_since=NOW), DOWN, NOW).news is News.NONE
    few = source(NOW, failures=BLIPS - 1, broken_since=NOW - timedelta(days=3))
    assert examine(few, DOWN, NOW).news is News.NONE


def test_what_lasts_is_news_once() -> None:
    lasting = source(NOW, failures=BLIPS, broken_since=NOW - PATIENCE)
    broke = examine(lasting, DOWN, NOW)
    assert broke == Health(NOW - PATIENCE, NOW, News.BROKE)
    known = source(NOW, failures=BLIPS + 1, broken_since=broke.broken_since, told_broken_at=broke.told_broken_at)
    assert examine(known, DOWN, NOW + PATIENCE) == Health(NOW - PATIENCE, NOW)
    assert examine(known, None, NOW + PATIENCE) == Health(None, None, News.RECOVERED)


def test_what_is_gone_for_good_is_news_at_once() -> None:
    assert examine(source(NOW), GONE, NOW).news is News.BROKE
