"""Less often: the same time of day, and never more often than before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.pipeline.less import Less, midnight, seldom


@pytest.mark.parametrize(
    ("cadence", "less", "expected"),
    [
        ("instant", Less.WEEKLY, "weekly on mon at 08:00"),
        ("hourly", Less.MONTHLY, "monthly on 1 at 08:00"),
        ("daily at 07:30", Less.WEEKLY, "weekly on mon at 07:30"),
        ("weekdays at 18:00", Less.MONTHLY, "monthly on 1 at 18:00"),
        ("weekly on mon,thu at 09:15", Less.WEEKLY, "weekly on mon at 09:15"),
        ("weekly on fri at 09:15", Less.WEEKLY, "weekly on fri at 09:15"),
        ("monthly on 15 at 06:00", Less.WEEKLY, "monthly on 15 at 06:00"),
        ("monthly on 15 at 06:00", Less.MONTHLY, "monthly on 15 at 06:00"),
        ("cron 0 6 * * tue", Less.WEEKLY, "cron 0 6 * * tue"),
        ("cron */20 * * * *", Less.WEEKLY, "weekly on mon at 08:00"),
    ],
)
def test_less_often_is_at_the_same_time_and_never_more_often(cadence: str, less: Less, expected: str) -> None:
    assert seldom(cadence, less) == expected


def test_a_day_begins_at_the_readers_own_midnight() -> None:
    moment = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    assert midnight(moment, "UTC") == datetime(2026, 3, 2, tzinfo=UTC)
    assert midnight(moment, "Asia/Tokyo") == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
