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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from dispatcher.config import texts
from dispatcher.config.nearest import did_you_mean
from dispatcher.digest import prose
from dispatcher.errors import ConfigError, Problem, SourceError
from dispatcher.model.edition import Audience
from dispatcher.model.values import Origin
from dispatcher.schedule import phrase
from dispatcher.sources import frontmatter

LONGEST = 60_000
"""Octets of what is written, as HTML: with a look around it and a story or two, one mail holds no more (F9)."""

LONGEST_LINE = 300
"""Characters of a subject, or of a preheader."""

KEYS = ("subject", "preheader", "newsletter", "slug", "send_at", "in_reader_zone", *Audience.__slots__)


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What a file says. `send_at` is as in Edition; `orders` are the stories its text asks for, by lines of the file;
    `lines` says on which line each fact stands."""

    subject: str
    preheader: str
    newsletter: str
    slug: str
    audience: Audience
    send_at: datetime | None
    in_reader_zone: bool
    body: str
    orders: tuple[prose.StoryOrder, ...]
    lines: Mapping[str, int]


def read(text: str, *, name: str, zone: str) -> Manuscript:
    """A manuscript. ConfigError names everything that is wrong, each with its line. `zone`: of the site."""
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    if "\0" in text:
        raise ConfigError([Problem(name, "", "it holds a NUL character, which nothing can store: is it a text?")])
    try:
        facts, body = frontmatter.split(text)
    except SourceError as error:
        raise ConfigError([Problem(name, "", str(error))]) from None
    if body == text:
        lacks = "it has no front matter: a line `---`, `subject: …` and other facts, and a line `---` again"
        raise ConfigError([Problem(f"{name}:1", "", lacks)])
    reader = _Reader(name, text.removesuffix(body), facts)
    made = reader.manuscript(body, zone)
    if reader.problems:
        raise ConfigError(reader.problems)
    return made


def instant(text: str, zone: str, *, in_reader_zone: bool) -> datetime:
    """A time as an edition keeps it: an instant, or the hour on a wall. ValueError says what is wrong with it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no time; write it like 2026-12-01 07:30 or 2026-12-01T07:30+01:00') from None
    if not 1970 < moment.year < 2199:
        raise ValueError(f'"{text}" is not between the years 1970 and 2199')
    if in_reader_zone:
        if moment.tzinfo is not None:
            raise ValueError("an hour in each reader's zone has none of its own; write it like 2026-12-01 07:30")
        return moment.replace(tzinfo=UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


class _Reader:
    """Reads facts, and collects what is wrong with them."""

    def __init__(self, name: str, head: str, facts: Mapping[str, object]) -> None:
        self._name, self._facts = name, facts
        self._above = head.count("\n")
        self._lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        for number, key in _keys_in(head):
            if key in self._lines:
                self._refuse(key, f"it stands on line {self._lines[key]} already", line=number)
            self._lines.setdefault(key, number)

    def manuscript(self, body: str, zone: str) -> Manuscript:
        """The manuscript, good for something if there are no problems."""
        for key in self._facts:
            if key not in KEYS:
                self._refuse(key, f"there is no such key{did_you_mean(key, KEYS, 'there are ' + ', '.join(KEYS))}")
        subject, in_reader_zone = self._subject(), self._flag("in_reader_zone")
        return Manuscript(
            subject=subject,
            preheader=self._line("preheader"),
            newsletter=self._line("newsletter"),
            slug=self._slug(subject),
            audience=self._audience(),
            send_at=self._send_at(zone, in_reader_zone=in_reader_zone),
            in_reader_zone=in_reader_zone,
            body=body,
            orders=self._orders(body),
            lines=self._lines,
        )

    def _subject(self) -> str:
        subject = self._line("subject")
        if not subject and "subject" not in {problem.key for problem in self.problems}:
            self._refuse("subject", "an edition needs one: `subject: What a week`")
        return subject

    def _slug(self, subject: str) -> str:
        return self._checked("slug", self._line("slug") or slug_of(subject), texts.slug)

    def _audience(self) -> Audience:
        checks: dict[str, Callable[[str], str]] = {
            "topics": texts.slug,
            "locale": texts.locale,
            "timezone": texts.zone,
            "cadence": _cadence,
            "origin": _origin,
        }
        given = {key: self._words(key, check) for key, check in checks.items()}
        since, before = self._day("since"), self._day("before")
        if since and before and since >= before:
            self._refuse("before", f"nobody came since {since} and before {before}")
        return Audience(**given, since=since, before=before)

    def _orders(self, body: str) -> tuple[prose.StoryOrder, ...]:
        if not body.strip():
            self.problems.append(Problem(self._name, "", "there is nothing below its front matter"))
        if len(body) > LONGEST:
            self._refuse_long(len(body))
            return ()
        blocks, orders, faults = prose.blocks(body)
        for fault in faults:
            self.problems.append(Problem(f"{self._name}:{self._above + fault.line}", "", fault.message))
        octets = sum(len(block.html.encode()) for block in blocks)
        if octets > LONGEST:
            self._refuse_long(octets)
        return tuple(replace(order, line=self._above + order.line) for order in orders)

    def _refuse_long(self, octets: int) -> None:
        longer = f"its text makes {octets:,} octets of HTML, and one mail holds {LONGEST:,}: shorten it or make it two"
        self.problems.append(Problem(self._name, "", longer))

    def _line(self, key: str) -> str:
        value = self._facts.get(key, "")
        if isinstance(value, (list, dict)):
            self._refuse(key, "one line of text is expected")
            return ""
        text = " ".join(str(value).split())
        if not text.isprintable():
            self._refuse(key, "it has a character that cannot be seen, which no header may hold")
        if len(text) > LONGEST_LINE:
            self._refuse(key, f"{len(text)} characters are too many; at most {LONGEST_LINE} are shown anywhere")
        return text

    def _words(self, key: str, check: Callable[[str], str]) -> tuple[str, ...]:
        value = self._facts.get(key, ())
        words = [str(word).strip() for word in (value if isinstance(value, (list, tuple)) else [value])]
        if key in self._facts and not all(words or [""]):
            self._refuse(key, "it names nothing; leave it out where it does not matter")
            return ()
        return tuple(self._checked(key, word, check) for word in words)

    def _flag(self, key: str) -> bool:
        word = str(self._facts.get(key, "false")).lower()
        if word not in ("true", "yes", "false", "no"):
            self._refuse(key, f'"{word}" is neither true nor false')
        return word in ("true", "yes")

    def _day(self, key: str) -> str:
        return self._checked(key, str(self._facts[key]), _day) if key in self._facts else ""

    def _send_at(self, zone: str, *, in_reader_zone: bool) -> datetime | None:
        value = self._facts.get("send_at")
        if value is None:
            if in_reader_zone:
                self._refuse("in_reader_zone", "it needs an hour: `send_at: 2026-12-01 07:30`")
            return None
        try:
            return instant(str(value), zone, in_reader_zone=in_reader_zone)
        except ValueError as error:
            self._refuse("send_at", str(error))
            return None

    def _checked(self, key: str, word: str, check: Callable[[str], str]) -> str:
        try:
            return check(word)
        except ValueError as error:
            self._refuse(key, str(error))
            return word

    def _refuse(self, key: str, message: str, *, line: int | None = None) -> None:
        number = line or self._lines.get(key)
        self.problems.append(Problem(f"{self._name}:{number}" if number else self._name, key, message))


def slug_of(subject: str) -> str:
    """A short name made of a subject."""
    words = re.findall("[a-z0-9]+", subject.lower())
    return "-".join(words)[:60].strip("-") or "edition"


def _keys_in(head: str) -> Iterator[tuple[int, str]]:
    """The keys that begin a line, with its number."""
    for number, line in enumerate(head.splitlines(), 1):
        found = re.match(r"[\"']?([^\s\"':=#+\[-][^\"':=]*?)[\"']?\s*[:=]", line)
        if found:
            yield number, found[1].lower()


def _cadence(text: str) -> str:
    kinds: tuple[Any, ...] = get_args(phrase.Kind)
    word = text.split(" ")[0]
    if word not in kinds:
        raise ValueError(f'"{word[:60]}" is no cadence{did_you_mean(word, kinds, "expected " + ", ".join(kinds))}')
    return text


def _origin(text: str) -> str:
    if text not in list(Origin):
        known = f"expected {', '.join(Origin)}"
        raise ValueError(f'"{text[:60]}" is no origin{did_you_mean(text, list(Origin), known)}')
    return text


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f'"{text[:60]}" is no day; expected one such as 2026-12-01') from None
