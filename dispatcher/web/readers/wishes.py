"""The preferences form: a sheet as its fields show it, and fields as a reader sent them, read as wishes.

    Sheet ─▶ typed_from ─▶ fields ─▶ the reader ─▶ fields ─▶ read ─▶ Wishes, or what is wrong with each field

A form with a mistake comes back with everything as it was typed, because the page is made of fields in both cases. What
a field names that the reader's sheet does not hold is as if it had not been sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from starlette.datastructures import FormData

from dispatcher.config import texts
from dispatcher.errors import CadenceError, QueryError
from dispatcher.model.values import Layout, SubscriberStatus
from dispatcher.pipeline.own_topics import LONGEST_QUERY, meaning
from dispatcher.pipeline.preferences import Line, Own, Sheet, Wishes, paused_on
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule import zones
from dispatcher.schedule.quiet import WEEK, parse_days, parse_window
from dispatcher.web.readers.fields import caret

OFTEN = (
    "instant", "hourly", "daily", "weekdays", *(f"weekly on {day}" for day in WEEK),
    "monthly on 1", "monthly on 15", "monthly on 31",
)  # fmt: skip
USUAL = ""  # of a topic that comes as everything else does
LONGEST = 1_000  # characters of a field that are looked at
LONGEST_NAME = 80
LONGEST_PAUSE = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field: a word for it, and of a query what its parser said, and where."""

    what: str
    said: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields, by their names."""

    values: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """What a field says; nothing if it is not there."""
        return next(iter(self.values.get(name, ())), "")

    def has(self, name: str, value: object) -> bool:
        """Whether a box is ticked, or an option chosen."""
        return str(value) in self.values.get(name, ())


def typed_of(sent: FormData) -> Typed:
    """The fields that were sent, without what no database and no mail can carry."""
    names = dict.fromkeys(sent.keys())
    return Typed({name: [_clean(one) for one in sent.getlist(name) if isinstance(one, str)] for name in names})


def typed_from(sheet: Sheet) -> Typed:
    """The fields of a sheet: sent back as they are, they change nothing."""
    reader, often = sheet.reader, _apart(sheet.reader.cadence)
    values: dict[str, Sequence[str]] = {
        "name": [reader.name], "zone": [reader.timezone], "lang": [reader.locale], "layout": [reader.layout],
        "often": [often[0]], "time": [often[1]], "often-new": [USUAL], "time-new": [often[1]],
        "quiet_from": [reader.quiet_from], "quiet_until": [reader.quiet_until],
        "day": reader.allowed_days.split(",") if reader.allowed_days else WEEK,
        "sending": ["pause" if reader.status == SubscriberStatus.PAUSED else "on"],
        "until": [f"{day}" if (day := paused_on(reader)) else ""],
        "topic": [_key(line) for line in sheet.offered if line.is_on],
        "source": [f"{line.source.id}" for line in sheet.sources if line.source and line.is_on],
    }  # fmt: skip
    for line in (*sheet.offered, *sheet.own):
        own = often_of(line, reader.cadence)
        values |= {f"often-{_key(line)}": [own], f"time-{_key(line)}": [_time_of(line, often[1])]}
    for line in sheet.own:
        if line.topic:
            values |= {f"name-{_key(line)}": [line.topic.name], f"query-{_key(line)}": [line.topic.query_text]}
    return Typed(values)


def often_of(line: Line, usual: str) -> str:
    """How often something comes, without the time of day; nothing if it comes as usual."""
    followed = line.subscription.cadence if line.subscription and line.is_on else usual
    return USUAL if followed == usual else _apart(followed)[0]


def read(
    typed: Typed, sheet: Sheet, now: datetime, *, locales: Collection[str], own_topics: int
) -> tuple[Wishes, Mapping[str, Fault]]:
    """What the fields wish for, and what is wrong with them. Only without faults may it be acted upon."""
    reading = _Reading(typed, sheet)
    fields = reading.fields(locales)
    zone = fields["timezone"]
    until = reading.until(now, zone)
    wishes = Wishes(
        fields=fields,
        offered=reading.offered(fields["cadence"]),
        own=reading.own(fields["cadence"], own_topics),
        sources=frozenset(
            line.source.id or 0 for line in sheet.sources if line.source and typed.has("source", line.source.id)
        ),
        is_paused=typed.one("sending") == "pause",
        paused_until=until,
    )
    return wishes, reading.faults


@dataclass(slots=True)
class _Reading:
    """One reading of a form: collects what is wrong on its way."""

    typed: Typed
    sheet: Sheet
    faults: dict[str, Fault] = field(default_factory=dict)

    def fields(self, locales: Collection[str]) -> dict[str, str]:
        reader, one = self.sheet.reader, self.typed.one
        if one("lang") not in (*locales, reader.locale):
            self.faults["lang"] = Fault("unknown")
        if one("layout") not in ("", *Layout):
            self.faults["layout"] = Fault("unknown")
        begin, end = self.window()
        return {
            "name": one("name").strip()[:LONGEST_NAME],
            "timezone": self.zone(),
            "locale": one("lang"),
            "layout": one("layout"),
            "cadence": self.cadence("often", "time", reader.cadence, _apart(reader.cadence)[0]),
            "quiet_from": begin,
            "quiet_until": end,
            "allowed_days": self.days(),
        }

    def zone(self) -> str:
        zone = self.typed.one("zone")
        try:
            return zone if zone == self.sheet.reader.timezone else texts.zone(zone)
        except ValueError:
            self.faults["zone"] = Fault("unknown")
            return self.sheet.reader.timezone

    def window(self) -> tuple[str, str]:
        begin, end = self.typed.one("quiet_from"), self.typed.one("quiet_until")
        try:
            return parse_window(begin, end)
        except CadenceError:
            self.faults["quiet_until" if begin else "quiet_from"] = Fault("time")
            return "", ""

    def days(self) -> str:
        try:
            return parse_days(",".join(self.typed.values.get("day", ())))
        except CadenceError:
            self.faults["day"] = Fault("none")
            return ""

    def until(self, now: datetime, zone: str) -> date | None:
        text, before = self.typed.one("until"), paused_on(self.sheet.reader)
        if self.typed.one("sending") != "pause" or not self.sheet.pauses:
            return None
        if not text and self.sheet.reader.status == SubscriberStatus.PAUSED and before is None:
            return None  # paused without an end, and left so
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self.faults["until"] = Fault("missing")
            return None
        today = zones.wall_at(now, zones.zone(zone)).date()
        if day != before and not today < day <= today + LONGEST_PAUSE:
            self.faults["until"] = Fault("past" if day <= today else "far")
        return day

    def cadence(self, often_name: str, time_name: str, usual: str, now_often: str) -> str:
        often = self.typed.one(often_name)
        if often == USUAL and often_name != "often":
            return usual
        if often not in (*OFTEN, now_often):
            self.faults[often_name] = Fault("unknown")
            return usual
        try:
            return str(cadences.parse(f"{often} at {self.typed.one(time_name)}" if _is_timed(often) else often))
        except CadenceError:
            self.faults[time_name] = Fault("time")
            return usual

    def offered(self, usual: str) -> dict[int, str]:
        return {
            line.topic.id or 0: self.line_cadence(line, usual)
            for line in self.sheet.offered
            if line.topic and self.typed.has("topic", line.topic.id)
        }

    def line_cadence(self, line: Line, usual: str) -> str:
        key = _key(line)
        return self.cadence(f"often-{key}", f"time-{key}", usual, often_of(line, self.sheet.reader.cadence))

    def own(self, usual: str, most: int) -> list[Own]:
        kept = [line for line in self.sheet.own if not self.typed.has("drop", _key(line))]
        wanted = [self.own_line(line, usual) for line in kept]
        meanings = [self.meaning(f"query-{own.topic_id}", own.query) for own in wanted]
        name, query = self.typed.one("name-new")[:LONGEST_NAME], self.typed.one("query-new")
        if name or query:
            wanted.append(Own(0, name, query, self.cadence("often-new", "time-new", usual, USUAL)))
            meanings.append(self.meaning("query-new", query))
            if len(wanted) > most:
                self.faults["query-new"] = Fault("many")
        for place, own in enumerate(wanted):
            if meanings[place] and meanings[place] in meanings[:place]:
                self.faults.setdefault(f"query-{own.topic_id or 'new'}", Fault("twice"))
        return wanted

    def own_line(self, line: Line, usual: str) -> Own:
        """A line that the form does not show, because it was made meanwhile in another tab, stays as it is."""
        key, topic = _key(line), line.topic
        assert topic is not None
        if f"query-{key}" not in self.typed.values:
            return Own(
                topic.id or 0, topic.name, topic.query_text, line.subscription.cadence if line.subscription else usual
            )
        name, query = self.typed.one(f"name-{key}")[:LONGEST_NAME], self.typed.one(f"query-{key}")
        return Own(topic.id or 0, name, query, self.line_cadence(line, usual))

    def meaning(self, name: str, query: str) -> str:
        if not query:
            self.faults[name] = Fault("missing")
            return ""
        if len(query) > LONGEST_QUERY:
            self.faults[name] = Fault("long")
            return ""
        try:
            return meaning(query)
        except QueryError as error:
            self.faults[name] = Fault("query", str(error), caret(error))
            return ""


def _key(line: Line) -> str:
    return f"{line.topic.id}" if line.topic else ""


def _apart(cadence: str) -> tuple[str, str]:
    """How often, and the time of day: "daily at 07:30" is "daily" and "07:30"."""
    often, _, time = cadence.partition(" at ")
    return often, time or "07:30"


def _is_timed(often: str) -> bool:
    return often.partition(" ")[0] in ("daily", "weekdays", "weekly", "monthly")


def _time_of(line: Line, usual: str) -> str:
    followed = line.subscription.cadence if line.subscription and line.is_on else ""
    return _apart(followed)[1] if " at " in followed else usual


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:LONGEST]).strip()
