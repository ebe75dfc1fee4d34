"""Manuscripts: the Markdown files that editions are written in. Text in; an edition, or everything that is wrong, out.

---
subject: The week in the harbour
newsletter: weekly            # one of [[newsletters]]; the default one if none is named
topics: [harbour]             # only readers who follow one of these; also locale, timezone, cadence, origin,
since: 2026-01-01             # since, before
send_at: 2026-12-01 07:30     # in the site's zone, or with `in_reader_zone: true` in each reader's
---
What a week it was …
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dispatcher.config.nearest import did_you_mean
from dispatcher.digest import prose
from dispatcher.errors import ConfigError, Problem, SourceError
from dispatcher.model.edition import Audience
from dispatcher.model.values import Origin
from dispatcher.sources import frontmatter

LONGEST = 90_000
"""Characters of an edition's text: with a look around it, one mail can hold no more (F9)."""

KEYS = ("subject", "preheader", "newsletter", "slug", "send_at", "in_reader_zone", *Audience.__slots__)


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What a file says. `send_at` is as in Edition; `orders` are the stories its text asks for."""

    subject: str
    preheader: str
    newsletter: str
    slug: str
    audience: Audience
    send_at: datetime | None
    in_reader_zone: bool
    body: str
    orders: tuple[prose.StoryOrder, ...]


def read(text: str, *, name: str, zone: str) -> Manuscript:
    """A manuscript. ConfigError names everything that is wrong, each with its line. `zone`: of the site."""
    try:
        facts, body = frontmatter.split(text.replace("\r\n", "\n").lstrip("\ufeff"))
    except SourceError as error:
        raise ConfigError([Problem(name, "", str(error))]) from None
    reader = _Reader(name, text, facts)
    made = reader.manuscript(body, zone)
    if reader.problems or made is None:
        raise ConfigError(reader.problems)
    return made


class _Reader:
    """Reads facts, and collects what is wrong with them."""

    def __init__(self, name: str, text: str, facts: Mapping[str, object]) -> None:
        self._name, self._text, self._facts = name, text, facts
        self.problems: list[Problem] = []

    def manuscript(self, body: str, zone: str) -> Manuscript | None:
        """The manuscript, or None where a fact that it needs is wrong."""
        for key in self._facts:
            if key not in KEYS:
                self._refuse(key, f"there is no such key{did_you_mean(key, KEYS, 'there are ' + ', '.join(KEYS))}")
        subject = self._line("subject")
        if not subject:
            self._refuse("subject", "an edition needs one: `subject: What a week`")
        in_reader_zone = self._flag("in_reader_zone")
        send_at = self._moment("send_at", zone, in_reader_zone=in_reader_zone)
        if in_reader_zone and send_at is None and "send_at" not in self._facts:
            self._refuse("in_reader_zone", "it needs an hour: `send_at: 2026-12-01 07:30`")
        slug = self._line("slug") or slug_of(subject)
        if not _SLUG.fullmatch(slug):
            self._refuse("slug", f'"{slug}" is no short name; expected small letters, digits and hyphens')
        audience = self._audience()
        return Manuscript(
            subject, self._line("preheader"), self._line("newsletter"), slug, audience, send_at, in_reader_zone, body,
            self._orders(body),
        )  # fmt: skip

    def _audience(self) -> Audience:
        given: dict[str, Any] = {key: self._words(key) for key in ("topics", "locale", "timezone", "cadence", "origin")}
        for zone in given["timezone"]:
            if zone not in available_timezones():
                self._refuse("timezone", f'"{zone}" is no time zone; expected one such as "Europe/London"')
        for origin in given["origin"]:
            if origin not in list(Origin):
                known = f"expected {', '.join(Origin)}"
                self._refuse("origin", f'"{origin}" is no origin{did_you_mean(origin, list(Origin), known)}')
        return Audience(**given, since=self._day("since"), before=self._day("before"))

    def _orders(self, body: str) -> tuple[prose.StoryOrder, ...]:
        above = self._text.replace("\r\n", "\n").count("\n") - body.count("\n")
        _, orders, faults = prose.blocks(body)
        for fault in faults:
            self.problems.append(Problem(f"{self._name}:{above + fault.line}", "", fault.message))
        if not body.strip():
            self.problems.append(Problem(self._name, "", "there is nothing below its front matter"))
        if len(body) > LONGEST:
            self.problems.append(
                Problem(self._name, "", f"{len(body)} characters are too many; one mail has {LONGEST}")
            )
        return orders

    def _line(self, key: str) -> str:
        value = self._facts.get(key, "")
        if isinstance(value, (list, dict)):
            self._refuse(key, "one line of text is expected, not a list")
            return ""
        text = " ".join(str(value).split())
        if not text.isprintable():
            self._refuse(key, "it has a character that no header may hold")
        return text

    def _words(self, key: str) -> tuple[str, ...]:
        value = self._facts.get(key, ())
        words = value if isinstance(value, (list, tuple)) else [value]
        return tuple(str(word).strip() for word in words if str(word).strip())

    def _flag(self, key: str) -> bool:
        word = str(self._facts.get(key, "false")).lower()
        if word not in ("true", "yes", "false", "no"):
            self._refuse(key, f'"{word}" is neither true nor false')
        return word in ("true", "yes")

    def _day(self, key: str) -> str:
        value = self._facts.get(key, "")
        if not value:
            return ""
        try:
            return date.fromisoformat(str(value)).isoformat()
        except ValueError:
            self._refuse(key, f'"{value}" is no day; expected one such as 2026-12-01')
            return ""

    def _moment(self, key: str, zone: str, *, in_reader_zone: bool) -> datetime | None:
        value = self._facts.get(key)
        if value in (None, ""):
            return None
        try:
            moment = instant(str(value), zone, in_reader_zone=in_reader_zone)
        except ValueError as error:
            self._refuse(key, str(error))
            return None
        return moment

    def _refuse(self, key: str, message: str) -> None:
        line = next((n for n, text in enumerate(self._text.splitlines(), 1) if _key_in(text) == key), 0)
        self.problems.append(Problem(f"{self._name}:{line}" if line else self._name, key, message))


def instant(text: str, zone: str, *, in_reader_zone: bool) -> datetime:
    """A time as an edition keeps it: an instant, or the hour on a wall. ValueError says what is wrong with it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no time; write it like 2026-12-01 07:30 or 2026-12-01T07:30+01:00') from None
    if not 1970 <= moment.year <= 2199:
        raise ValueError(f'"{text}" is not between the years 1970 and 2199')
    if in_reader_zone:
        if moment.tzinfo is not None:
            raise ValueError("an hour in each reader's zone has none of its own: write it like 2026-12-01 07:30")
        return moment.replace(tzinfo=UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def slug_of(subject: str) -> str:
    """A short name made of a subject."""
    words = re.findall("[a-z0-9]+", subject.lower())
    return "-".join(words)[:60].strip("-") or "edition"


_SLUG = re.compile("[a-z0-9]+(?:-[a-z0-9]+)*")


def _key_in(line: str) -> str:
    return re.split("[:=]", line, maxsplit=1)[0].strip().strip("\"'").lower()
