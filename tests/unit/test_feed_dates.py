"""Dates as people and programs write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dispatcher.sources.dates import parse_date

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T13:00:00+01:00",
        "2026-11-22 12:00",
        "2026-11-22 13:00:00 +0100",
        "2026-11-22T12:00:00.000Z",
        "20261122T120000Z",
        "Sun, 22 Nov 2026 12:00:00 GMT",
        "22 Nov 2026 07:00:00 EST",
        "2026/11/22 12:00",
        datetime(2026, 11, 22, 12),  # noqa: DTZ001 - TOML has local times
        datetime(2026, 11, 22, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_date_is_understood(written: object) -> None:
    assert parse_date(written) == NOON


@pytest.mark.parametrize(
    "written",
    ["2026-11-22", "22 November 2026", "Nov 22, 2026", "November 22nd, 2026", "2026/11/22", date(2026, 11, 22)],
)
def test_a_day_alone_begins_at_midnight_utc(written: object) -> None:
    assert parse_date(written) == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["", "  ", "tomorrow", "2026-13-40", "0001-01-01T00:00:00+14:00", "9" * 200, None, 5, ["2026-11-22"], "é"],
)
def test_what_is_no_date_is_none(written: object) -> None:
    assert parse_date(written) is None
