"""Quiet time: when it ends, how it is written, what waits for its end, and what a change of it brings forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatcher.errors import CadenceError
from dispatcher.model.audience import Schedule
from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel
from dispatcher.schedule import agenda, cadence
from dispatcher.schedule.quiet import NEVER, Quiet, parse_days, parse_window, release_at
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import Due, Following, Plan, Reader, decide
from dispatcher.schedule.wait import Wait, leaves_at, wait

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NIGHT = Quiet("22:00", "07:00")
LONDON, HOUR = "Europe/London", timedelta(hours=1)


def at(hours: int, minutes: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


def wall(text: str, zone: str = LONDON, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


# -- when it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "quiet", "released"),
    [
        (at(12), NEVER, at(12)),
        (at(12), NIGHT, at(12)),
        (at(21, 59), NIGHT, at(21, 59)),
        (at(22), NIGHT, at(7, day=1)),
        (at(0), NIGHT, at(7)),
        (at(6, 59), NIGHT, at(7)),
        (at(7), NIGHT, at(7)),
        (at(12), Quiet("12:00", "12:00"), at(12)),
        (at(12, 30), Quiet("12:00", "14:00"), at(14)),
        (at(23, 30), Quiet("00:01", "00:00"), at(0, day=1)),
        (at(8), Quiet(allowed_days="wed,sun"), at(0, day=2)),
        (at(8, day=3), Quiet(allowed_days="mon"), at(0, day=7)),
        (at(8, day=5), Quiet("22:00", "07:00", "mon"), at(7, day=7)),
        (at(23, day=6), Quiet("22:00", "07:00", "sun"), at(7, day=13)),
        (at(8), Quiet("00:00", "23:59", "sat"), at(23, 59, day=5)),
    ],
)
def test_quiet_time_ends_at_the_first_instant_outside_its_hours_on_an_allowed_day(
    moment: datetime, quiet: Quiet, released: datetime
) -> None:
    assert release_at(moment, "UTC", *quiet) == released


def test_a_day_is_that_of_the_readers_own_calendar_also_where_clocks_differ_by_half_an_hour() -> None:
    friday_night = datetime(2026, 3, 6, 19, tzinfo=UTC)  # half past midnight on Saturday in India
    only_friday = Quiet(allowed_days="fri")
    assert release_at(friday_night, "Asia/Kolkata", *only_friday) == wall("2026-03-13T00:00", "Asia/Kolkata")
    assert release_at(friday_night, "Asia/Kolkata", *NIGHT) == datetime(2026, 3, 7, 1, 30, tzinfo=UTC)


def test_an_end_that_the_clocks_skip_comes_when_they_are_moved() -> None:
    assert release_at(wall("2026-03-29T00:30"), LONDON, "22:00", "01:30", "") == wall("2026-03-29T02:00")


def test_a_window_that_the_clocks_skip_does_not_exist_that_night() -> None:
    before = wall("2026-03-29T00:59")
    assert release_at(before + timedelta(minutes=1), LONDON, "01:00", "02:00", "") == wall("2026-03-29T02:00")
    assert release_at(before, LONDON, "01:00", "02:00", "") == before


def test_a_window_that_the_clocks_repeat_is_quiet_twice() -> None:
    first, second = wall("2026-10-25T01:15"), wall("2026-10-25T01:15", fold=1)
    assert second - first == HOUR
    assert release_at(first, LONDON, "01:00", "02:00", "") == wall("2026-10-25T02:00")
    assert release_at(first, LONDON, "01:10", "01:30", "") == wall("2026-10-25T01:30")
    assert release_at(second, LONDON, "01:10", "01:30", "") == wall("2026-10-25T01:30", fold=1)


def test_a_day_that_begins_at_one_o_clock_is_allowed_from_then_on() -> None:
    saturday = wall("2026-09-05T12:00", "America/Santiago")  # its clocks skip Sunday's first hour
    released = release_at(saturday, "America/Santiago", "", "", "sun")
    assert released == wall("2026-09-06T01:00", "America/Santiago")


def test_a_day_that_a_zone_left_out_is_passed_over() -> None:
    thursday = wall("2011-12-29T12:00", "Pacific/Apia")  # Samoa had no 30 December 2011
    assert release_at(thursday, "Pacific/Apia", "", "", "fri,sat") == wall("2011-12-31T00:00", "Pacific/Apia")
    assert release_at(thursday, "Pacific/Apia", "", "", "fri") == wall("2012-01-06T00:00", "Pacific/Apia")


def test_fields_written_by_hand_that_mean_nothing_are_refused() -> None:
    for quiet in (Quiet("22", "07:00"), Quiet("22:00", ""), Quiet(allowed_days="caturday")):
        with pytest.raises(CadenceError):
            release_at(MONDAY, "UTC", *quiet)


# -- how it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (("22:00", "7:00"), ("22:00", "07:00")),
        (("10 pm", "7:30 a.m."), ("22:00", "07:30")),
        ((" 00:00 ", "06:00"), ("00:00", "06:00")),
        (("08:00", "8:00"), ("", "")),
        (("", " "), ("", "")),
    ],
)
def test_hours_are_read_leniently_and_kept_in_one_form(written: tuple[str, str], kept: tuple[str, str]) -> None:
    assert parse_window(*written) == kept
    assert parse_window(*kept) == kept


@pytest.mark.parametrize(
    ("written", "which"),
    [
        (("22:00", ""), "end"),
        (("", "07:00"), "beginning"),
        (("25:00", "07:00"), "beginning"),
        (("22:00", "seven"), "end"),
        (("22:00", "07:00 on mon"), "end"),
        (("22:00\r\nBcc: x", "07:00"), "beginning"),
        (("2" * 10_000, "07:00"), "beginning"),
    ],
)
def test_hours_that_are_none_are_refused_and_the_message_says_which(written: tuple[str, str], which: str) -> None:
    with pytest.raises(CadenceError, match=f"the {which} of quiet hours is not a time"):
        parse_window(*written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Mon, tue", "mon,tue"),
        ("sunday monday", "mon,sun"),
        ("fri,fri", "fri"),
        ("mon,tue,wed,thu,fri,sat,sun", ""),
    ],
)
def test_days_are_read_leniently_and_kept_in_the_order_of_the_week(written: str, kept: str) -> None:
    assert parse_days(written) == kept


@pytest.mark.parametrize("written", ["", " , ", "funday", "mon at 9:00", "1", "mon-fri", "mon\x1b[2J", "m" * 10_000])
def test_days_that_are_none_are_refused(written: str) -> None:
    with pytest.raises(CadenceError, match="day"):
        parse_days(written)


# -- what waits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment", "quiet", "leaves"),
    [
        ("daily at 07:30", at(7, 30), NIGHT, at(7, 30)),
        ("daily at 06:00", at(6), NIGHT, at(7)),
        ("daily at 23:30", at(23, 30), NIGHT, at(7, day=1)),
        ("daily at 07:30", at(7, 30, day=5), Quiet(allowed_days="mon,tue"), at(7, 30, day=7)),
        ("daily at 19:00", at(19, day=5), Quiet(allowed_days="mon,tue"), at(19, day=7)),
        ("daily at 06:00", at(6, day=5), Quiet("22:00", "07:00", "mon,tue"), at(7, day=7)),
        ("weekly on mon at 08:00", at(8), Quiet(allowed_days="thu,fri"), at(0, day=3)),
        ("weekly on mon,thu at 08:00", at(8), Quiet(allowed_days="tue,thu"), at(0, day=1)),
        ("weekly on mon,thu at 08:00", at(8), Quiet(allowed_days="thu,fri"), at(8, day=3)),
        ("hourly", at(23), NIGHT, at(7, day=1)),
        ("hourly", at(23), Quiet("22:00", "06:45"), at(7, day=1)),
        ("hourly", at(23), Quiet("22:00", "06:15"), at(6, 15, day=1)),
        ("cron 30 7,19 * * *", at(7, 30), Quiet("07:00", "09:00"), at(9)),
        ("instant", at(23), NIGHT, at(7, day=1)),
    ],
)
def test_what_is_due_in_quiet_time_leaves_at_its_end_or_with_the_next_if_that_comes_soon(
    text: str, moment: datetime, quiet: Quiet, leaves: datetime
) -> None:
    assert leaves_at(cadence.parse(text), moment, "UTC", quiet) == leaves


def following(number: int, text: str, **changes: object) -> Following:
    made = {
        "subscription_id": number, "label": f"Topic {number}", "query_id": number, "channel": Channel.EMAIL,
        "cadence": cadence.parse(text), "release": 0, "created_at": at(0, day=-30), "read_at": at(0, day=-1),
    }  # fmt: skip
    return Following(**made | changes)  # type: ignore[arg-type]


def reader(quiet: Quiet, *followings: Following, due: str = "", since: datetime = MONDAY) -> Reader:
    dues = [Due(1, Channel.EMAIL, cadence.parse(due), since)] if due else []
    return Reader(1, "UTC", followings, dues, quiet=quiet)


def waiting(found: Wait | None) -> Wait:
    assert found is not None
    return found


def test_nothing_waits_outside_quiet_time() -> None:
    assert wait(reader(NIGHT, following(1, "hourly"), due="hourly"), at(12)) is None
    assert wait(reader(NEVER, following(1, "hourly"), due="hourly"), at(23)) is None


def test_a_digest_that_waits_past_its_next_slot_still_owes_what_it_would_have_held() -> None:
    hourly, daily = following(1, "hourly"), following(2, "daily at 06:00")
    found = waiting(wait(reader(NIGHT, hourly, daily, due="hourly"), at(23)))
    assert [(due.schedule_id, then) for due, then in found.dues] == [(1, at(7, day=1))]
    assert found.owed == ((hourly, at(21)),)
    found = waiting(wait(reader(NIGHT, hourly, daily, due="daily at 06:00"), at(6)))
    assert found.owed == (), "its slot is still the latest one then"


def test_only_alerts_that_were_to_be_looked_at_wait() -> None:
    woken, idle = following(1, "instant", look_at=at(23)), following(2, "instant")
    found = waiting(wait(reader(NIGHT, woken, idle), at(23)))
    assert found.looks == ((woken, at(7, day=1)),)
    assert found.owed == ((woken, at(11)),)


# -- what comes then -------------------------------------------------------------------------------------------------


def match(number: int, seen_at: datetime, query_id: int = 1) -> Candidate:
    return Candidate(number, 1, number, query_id, number, 1.0, seen_at, seen_at, False)


def decided(who: Reader, now: datetime, *matches: Candidate) -> Plan:
    return decide(who, {1: list(matches)}, now, Policy(), frozenset())


def test_a_digest_that_waited_for_days_is_not_too_late_but_one_whose_wait_is_long_over_is() -> None:
    weekly = following(1, "weekly on mon at 08:00", read_at=at(8, day=-7))
    who = reader(Quiet(allowed_days="sat"), weekly, due="weekly on mon at 08:00")
    (made,) = decided(who, at(0, day=5), match(1, at(7))).planned
    assert (made.slot, made.slot_at) == ("weekly:2026-03-02", at(8))
    unlimited = reader(NEVER, weekly, due="weekly on mon at 08:00")
    assert decided(unlimited, at(0, day=5), match(1, at(7))).planned == ()


def test_alerts_of_a_night_come_as_one_digest_and_a_single_one_as_itself() -> None:
    alerts = following(1, "instant", owed_from_at=at(12), look_at=at(7, day=1))
    night = [match(1, at(23)), match(2, at(3, day=1))]
    (made,) = decided(reader(NIGHT, alerts), at(7, day=1), *night).planned
    assert [pick.candidate.article_id for pick in made.picks] == [2, 1]
    assert made.slot == "instant:2"
    (made,) = decided(reader(NIGHT, alerts), at(7, day=1), night[0]).planned
    assert made.slot == "story:1"
    by_day = decided(reader(NIGHT, alerts), at(13), match(1, at(12, 30)), match(2, at(12, 50))).planned
    assert [made.slot for made in by_day] == ["story:2", "story:1"]


# -- what a change brings forward ------------------------------------------------------------------------------------


def row(text: str, next_due_at: datetime | None, last_due_at: datetime | None, number: int = 1) -> Schedule:
    return Schedule(
        id=number, subscriber_id=1, newsletter_id=1, cadence=text, label=cadence.parse(text).label, timezone="UTC",
        next_due_at=next_due_at, last_due_at=last_due_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "next_due_at", "last_due_at", "roused"),
    [
        ("daily at 06:00", at(7, day=1), at(6), at(6, 30, day=1)),
        ("weekly on mon at 08:00", at(0, day=5), at(8, day=-7), at(6, 30, day=1)),
        ("hourly", at(7, day=2), at(21), at(6, 30, day=1)),
        ("daily at 07:30", at(7, 30, day=6), at(7, 30), at(6, 30, day=1)),
        ("daily at 07:30", at(7, 30, day=1), at(7, 30), None),
        ("daily at 19:00", at(19, day=2), at(6, 15, day=1), None),
        ("daily at 07:30", at(7, 30), at(7, 30, day=-1), None),
        ("daily at 07:30", None, at(7, 30), None),
    ],
)
def test_a_change_of_quiet_time_brings_forward_what_waits_and_nothing_else(
    text: str, next_due_at: datetime | None, last_due_at: datetime, roused: datetime | None
) -> None:
    found = agenda.rouse([row(text, next_due_at, last_due_at)], zone="UTC", now=at(6, 30, day=1))
    assert [changed.next_due_at for changed in found] == ([roused] if roused else [])
