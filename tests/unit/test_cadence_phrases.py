"""Cadences as people write them."""

from __future__ import annotations

from datetime import time

import pytest

from dispatcher.errors import CadenceError
from dispatcher.schedule.cadence import parse

READ = {
    "instant": "instant",
    " Instant ": "instant",
    "HOURLY": "hourly",
    "daily at 07:30": "daily at 07:30",
    "Daily  at\t7:30": "daily at 07:30",
    "daily at 7:30 am": "daily at 07:30",
    "daily at 7:30PM": "daily at 19:30",
    "daily at 7:30 p.m.": "daily at 19:30",
    "daily at 7pm": "daily at 19:00",
    "daily at 12am": "daily at 00:00",
    "daily at 12:15 am": "daily at 00:15",
    "daily at 12pm": "daily at 12:00",
    "daily at 23:59": "daily at 23:59",
    "daily at 0:00": "daily at 00:00",
    "daily": "daily at 08:00",
    "daily\u00a0at\u00a007:30": "daily at 07:30",
    "ｄａｉｌｙ at ０７：３０": "daily at 07:30",
    "weekdays": "weekdays at 08:00",
    "weekdays at 07:30": "weekdays at 07:30",
    "weekly": "weekly on mon at 08:00",
    "weekly at 9:05": "weekly on mon at 09:05",
    "weekly on thu": "weekly on thu at 08:00",
    "weekly on thu,mon at 08:00": "weekly on mon,thu at 08:00",
    "weekly on Monday, Thursday at 8:00": "weekly on mon,thu at 08:00",
    "weekly on mondays and thursdays at 8 am": "weekly on mon,thu at 08:00",
    "weekly at 08:00 on tues, thurs, weds": "weekly on tue,wed,thu at 08:00",
    "weekly on sun,sun": "weekly on sun at 08:00",
    "monthly": "monthly on 1 at 08:00",
    "monthly on 1": "monthly on 1 at 08:00",
    "monthly on 15,1 at 08:00": "monthly on 1,15 at 08:00",
    "monthly on 1st and 15th at 6:00": "monthly on 1,15 at 06:00",
    "monthly on 31 at 08:00": "monthly on 31 at 08:00",
    "monthly at 20:00": "monthly on 1 at 20:00",
    "cron 0 8 * * mon-fri": "cron 0 8 * * mon-fri",
    "CRON  0 8 * * MON-FRI": "cron 0 8 * * mon-fri",
    "cron 0 8 * * 1-5": "cron 0 8 * * mon-fri",
}

REFUSED = {  # the text, and what its message must point at
    "": "missing",
    "   ": "missing",
    "dayly at 07:30": 'did you mean "daily at 07:30"',
    "weekday at 07:30": 'did you mean "weekdays at 07:30"',
    "every day at 07:30": 'did you mean "daily at 07:30"',
    "each month": 'did you mean "monthly on 1 at 08:00"',
    "immediately": 'did you mean "instant"',
    "weekends": 'did you mean "weekly on sat,sun at 08:00"',
    "fortnightly": 'did you mean "monthly on 1,15 at 08:00"',
    "yearly": 'did you mean "cron 0 8 1 1 *"',
    "never": "start with one of instant, hourly, daily",
    "täglich um 7": "start with one of",
    "at 07:30": "start with one of",
    "07:30": "is not a cadence",
    "0 8 * * mon-fri": 'written "cron 0 8 * * mon-fri"',
    "@daily": "is not a cadence",
    "instant at 07:30": '"instant" stands alone, without "at 07:30"',
    "hourly at 15": '"hourly" stands alone',
    "daily 07:30": 'after "daily" comes "at", not "07:30"',
    "daily at": 'after "at" comes a time',
    "daily at at 07:30": '"at" stands there twice',
    "daily at 8": '"8" is not a time',
    "daily at noon": '"noon" is not a time',
    "daily at 7.30": '"7.30" is not a time',
    "daily at 24:00": "from 00:00 to 23:59",
    "daily at 07:60": "from 00:00 to 23:59",
    "daily at 07:30:00": '"07:30:00" is not a time',
    "daily at 7:3": '"7:3" is not a time',
    "daily at -7:30": '"-7:30" is not a time',
    "daily at 13:00 pm": "with am or pm, hours go from 1 to 12",
    "daily at 0:30 am": "with am or pm, hours go from 1 to 12",
    "daily at 07:30 UTC": '"07:30 utc" is not a time',
    "daily at ٧:٣٠": "is not a time",
    "daily on mon at 07:30": '"daily" takes no "on"',
    "weekdays on mon": '"weekdays" takes no "on"',
    "weekly mon at 08:00": 'after "weekly" comes "on" or "at", not "mon"',
    "weekly on at 08:00": 'after "on" comes a day',
    "weekly on , at 08:00": "names no day",
    "weekly on mo at 08:00": '"mo" is not a day of the week',
    "weekly on 1 at 08:00": '"1" is not a day of the week',
    "weekly on mon-fri at 08:00": "use weekdays",
    "weekly on mon on thu": '"on" stands there twice',
    "monthly on 0": '"0" is not a day of the month',
    "monthly on 32": '"32" is not a day of the month',
    "monthly on last": "31 is the last day of every month",
    "monthly on -1": '"-1" is not a day of the month',
    "monthly on 1-5": '"1-5" is not a day of the month',
    "monthly on monday": '"monday" is not a day of the month',
    "cron": "five fields",
    "daily " + "x" * 500_000: "too long",
}


@pytest.mark.parametrize(("text", "canonical"), READ.items())
def test_a_cadence_is_read_leniently_and_written_one_way(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize("text", READ)
def test_the_canonical_text_reads_as_the_same_cadence(text: str) -> None:
    cadence = parse(text)
    assert parse(str(cadence)) == cadence
    assert hash(parse(str(cadence))) == hash(cadence)


@pytest.mark.parametrize(("text", "pointer"), REFUSED.items(), ids=lambda text: text[:40])
def test_a_text_that_is_no_cadence_is_refused_with_what_is_wrong_and_a_valid_one(text: str, pointer: str) -> None:
    with pytest.raises(CadenceError) as refusal:
        parse(text)
    message = str(refusal.value)
    assert pointer in message
    assert len(message) < 300
    assert is_helped_by(message), message


def is_helped_by(message: str) -> bool:
    """Whether the message quotes a cadence that can be copied."""
    for quoted in message.split('"')[1::2]:
        try:
            parse(quoted)
        except CadenceError:
            continue
        return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        "daily\x1b[2J at\x07 07:30\ud800\u202e",
        "daily at \x1b[2J",
        "cron \x08 0 0 0 0",
        "cron @\x08",
        "cron 0 8 * * 1-\x1bx",
    ],
)
def test_a_message_moves_no_cursor_and_breaks_no_line(text: str) -> None:
    with pytest.raises(CadenceError) as refusal:
        parse(text)
    assert str(refusal.value).isprintable()


def test_a_text_that_grows_when_it_is_normalised_is_refused_in_a_short_message() -> None:
    with pytest.raises(CadenceError, match="too long") as refusal:
        parse("cron " + "\ufdfa" * 100)
    assert len(str(refusal.value)) < 300


def test_the_label_is_the_kind_and_for_a_cron_its_expression() -> None:
    assert parse("daily at 07:30").label == parse("daily at 19:30").label == "daily"
    assert parse("weekly on mon").label == parse("weekly on tue").label == "weekly"
    assert parse("cron 0 8 * * 1-5").label == parse("cron 00 08 * * mon-fri").label
    assert parse("cron 0 8 * * *").label != parse("cron 0 9 * * *").label


def test_a_cadence_knows_its_kind() -> None:
    kinds = [parse(text).kind for text in ("instant", "hourly", "daily", "weekdays", "weekly", "monthly")]
    assert kinds == ["instant", "hourly", "daily", "weekdays", "weekly", "monthly"]
    assert parse("cron 0 8 * * *").kind == "cron"
    assert parse("instant").is_instant
    assert not parse("hourly").is_instant


def test_a_cadence_cannot_be_changed_and_can_be_a_key() -> None:
    cadence = parse("daily at 07:30")
    assert {cadence: 1}[parse("daily at 7:30am")] == 1
    assert cadence.times == (time(7, 30),)
    with pytest.raises(AttributeError):
        cadence.text = "daily at 08:00"  # type: ignore[misc]
