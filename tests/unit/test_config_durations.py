from __future__ import annotations

from datetime import timedelta

import pytest

from dispatcher.config import durations


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0s", timedelta(0)),
        ("15m", timedelta(minutes=15)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        (" 90d ", timedelta(days=90)),
    ],
)
def test_a_duration_is_read_as_it_is_meant(text: str, meant: timedelta) -> None:
    assert durations.parse(text) == meant


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61, 3600, 5400, 86_400, 90_061, 604_800, 7_776_000])
def test_a_duration_written_is_read_back_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert durations.parse(durations.write(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=90), "90d"),
        (timedelta(hours=36), "1d12h"),
    ],
)
def test_a_duration_is_written_in_days_hours_minutes_and_seconds(duration: timedelta, text: str) -> None:
    assert durations.write(duration) == text


@pytest.mark.parametrize("text", ["", " ", "m", "15", "-5m", "1.5h", "30m1h", "5m5m", "soon", "١٥m", "9" * 5000 + "d"])
def test_what_is_not_a_duration_is_refused_with_an_example_or_a_suggestion(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration; .*(such as|did you mean)"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("15", "15s"),
        ("15 min", "15m"),
        ("15 Minutes", "15m"),
        ("1 hour 30 mins", "1h30m"),
        ("2 weeks", "2w"),
        ("7D", "7d"),
    ],
)
def test_a_duration_written_out_is_answered_with_the_short_form(text: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=f'did you mean "{suggestion}"'):
        durations.parse(text)


def test_a_duration_of_centuries_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        durations.parse("999999999w")
