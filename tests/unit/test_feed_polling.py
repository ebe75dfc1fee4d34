"""When a source is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.sources.http import Failure
from dispatcher.sources.polling import next_poll
from dispatcher.sources.read import Reading
from dispatcher.sources.retry_after import parse_retry_after

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
BROKEN = Reading(failure=Failure("no"))


def test_a_success_is_followed_by_the_usual_interval_and_forgets_failures() -> None:
    polling = next_poll(QUARTER, 7, Reading(), NOW)
    assert (polling.next_poll_at, polling.failures, polling.retry_after_at) == (NOW + QUARTER, 0, None)


def test_failures_double_the_interval_up_to_a_day() -> None:
    waits = [next_poll(QUARTER, failures, BROKEN, NOW).next_poll_at - NOW for failures in range(9)]
    assert waits[:4] == [QUARTER, QUARTER * 2, QUARTER * 4, QUARTER * 8]
    assert waits[-1] == timedelta(hours=24)
    assert next_poll(QUARTER, 10_000, BROKEN, NOW).next_poll_at == NOW + timedelta(hours=24)


def test_a_failure_never_hastens_a_slow_source() -> None:
    assert next_poll(timedelta(days=3), 5, BROKEN, NOW).next_poll_at == NOW + timedelta(days=3)


def test_a_source_that_is_gone_is_asked_once_a_day() -> None:
    gone = Reading(failure=Failure("gone", is_permanent=True, status=410))
    assert next_poll(QUARTER, 0, gone, NOW).next_poll_at == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(0), timedelta(minutes=1)),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=400), timedelta(days=7)),
    ],
)
def test_retry_after_is_obeyed_within_bounds(asked: timedelta, waited: timedelta) -> None:
    polling = next_poll(QUARTER, 0, Reading(failure=Failure("busy", retry_after=asked, status=429)), NOW)
    assert polling.retry_after_at == NOW + waited
    assert polling.next_poll_at == NOW + max(QUARTER, waited)


def test_a_half_written_file_is_looked_at_again_at_once() -> None:
    assert next_poll(QUARTER, 0, Reading(pending=("a.md",)), NOW).next_poll_at == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("9" * 40, timedelta(seconds=10**9)),
        ("Sun, 22 Nov 2026 13:00:00 GMT", timedelta(hours=1)),
        ("Sun, 22 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, meaning: timedelta | None) -> None:
    assert parse_retry_after(value, now=NOW) == meaning
