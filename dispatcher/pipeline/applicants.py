"""A row of a sheet → somebody who is to be enrolled, or what is wrong with the row. No database is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from dispatcher import clock
from dispatcher.config.addresses import reader_email
from dispatcher.config.settings import Follow, SubscriberEntry
from dispatcher.config.texts import line
from dispatcher.pipeline.admission import FIELDS, VOUCHED
from dispatcher.pipeline.entries import EntryError, subscriber_entry
from dispatcher.pipeline.marks import Marks
from dispatcher.pipeline.sheet import Row

PERSON = ("email", "name", "timezone", "locale", "topics", "cadence", "status")
PROOF = ("consent_at", "consent_ip", "consent_source", "consent")
COLUMNS = (*PERSON, *PROOF)
SHOWN = ("origin", "created_at")  # what we write for people to see, and do not read back
IGNORED = (*SHOWN, "consents")

LONGEST = 1_000
"""Characters of a name or of words about a consent: what is longer is no such thing, and would fill the memory."""
LONGEST_LIST = 10_000
"""Characters that name the topics of one person."""

_CHECKED = ("timezone", "locale", "cadence", "topics")
ENTRY = ("email", "name", *_CHECKED)
_REMEMBERED = 5_000  # values of a field, if each is as short as this:
_SHORT = 200
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")


class Refusal(NamedTuple):
    """A row that is left out, by the line it begins on, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a row says of a person's consent: when, if it says so, where from, and who vouches for it."""

    at: datetime | None
    ip: str
    source: str


class Applicant(NamedTuple):
    """Somebody as a row tells of them, checked. `said` names the fields that were said, `status` is that elsewhere.

    `email` is as we store it, `written` as it stands in the row.
    """

    line: int
    email: str
    said: frozenset[str]
    status: str
    proof: Proof | None
    written: str
    name: str
    timezone: str
    locale: str
    cadence: str
    topics: tuple[Follow, ...]

    @property
    def entry(self) -> SubscriberEntry:
        """The same as config would tell of them."""
        values = {name: getattr(self, name) for name in ("name", *_CHECKED)}
        return SubscriberEntry.model_construct(email=self.written, **values)


class Register:
    """Reads rows one by one, and remembers what it has checked and whom it has seen: an address counts once."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._seen = Marks()
        fields = SubscriberEntry.model_fields
        self._known: dict[str, dict[str, Any]] = {name: {"": fields[name].default} for name in _CHECKED}

    def read(self, row: Row) -> Applicant | Refusal:
        """The person that a row tells of, or why it tells of none."""
        try:
            return self._read(row)
        except EntryError as error:
            return Refusal(row.number, str(error)[:LONGEST])

    def _read(self, row: Row) -> Applicant:
        if row.fault:
            raise EntryError(row.fault)
        said = row.cells.get
        if not said("email"):
            raise EntryError("there is no e-mail address")
        written, name, *checked = self._person(row.cells)
        email = written.lower()
        proof = _proof(row.cells, self._now) if any(map(said, PROOF)) else None
        if not self._seen.add(email):
            raise EntryError(f"{written} is in this file more than once; the first line counts")
        given, status = frozenset(filter(said, FIELDS)), (said("status") or "").lower()
        return Applicant(row.number, email, given, status, proof, written, name, *checked)

    def _person(self, cells: Mapping[str, str]) -> Sequence[Any]:
        """Address, name, and the fields of _CHECKED. EntryError says all that is wrong, in the words of config."""
        name = cells.get("name", "")
        try:
            checked = [self._value(field, cells.get(field, "")) for field in _CHECKED]
            if len(name) <= LONGEST and name.isprintable():
                return (reader_email(cells["email"]), name, *checked)
        except (EntryError, ValueError):
            pass  # said below, together with whatever else is wrong
        for field, longest in (("name", LONGEST), ("topics", LONGEST_LIST)):
            if len(cells.get(field, "")) > longest:
                raise EntryError(f"{field}: is longer than {longest:,} characters")
        entry = subscriber_entry(**{field: _given(field, cells[field]) for field in ENTRY if cells.get(field)})
        return [getattr(entry, field) for field in ENTRY]

    def _value(self, field: str, text: str) -> Any:
        """What a field says, checked once for all who say the same."""
        known = self._known[field]
        if text in known:
            return known[text]
        if len(text) > LONGEST_LIST:
            raise EntryError(f"{field}: is too long")
        value = getattr(subscriber_entry(email="one@reader.example", **{field: _given(field, text)}), field)
        if len(text) <= _SHORT and len(known) < _REMEMBERED:
            known[text] = value
        return value


def _given(field: str, text: str) -> Any:
    return [*follows(text)] if field == "topics" else _LINE_BREAK.sub(" ", text)


def follows(text: str) -> Iterator[dict[str, str]]:
    """Topics as in "energy, football = weekly on mon,thu at 08:00; climate": slugs, each perhaps with its cadence."""
    for part in re.split(r"[;|\r\n]", text):
        head, _, cadence = part.partition("=")
        slugs = [*filter(None, re.split(r"[,\s]+", head.strip(", \t")))]
        yield from ({"topic": slug, "cadence": ""} for slug in slugs[:-1])
        yield from ({"topic": slug, "cadence": cadence.strip()} for slug in slugs[-1:])


def _proof(cells: Mapping[str, str], now: datetime) -> Proof:
    words = [_words(name, cells[name]) for name in ("consent_source", "consent") if cells.get(name)]
    at, ip = cells.get("consent_at", ""), cells.get("consent_ip", "")
    return Proof(_instant(at, now) if at else None, _ip(ip) if ip else "", "; ".join(words) or VOUCHED)


def _words(name: str, text: str) -> str:
    if len(text) > LONGEST:
        raise EntryError(f"{name}: is longer than {LONGEST:,} characters")
    try:
        return line(_LINE_BREAK.sub(" ", text))
    except ValueError as error:
        raise EntryError(f"{name}: {error}") from None


def _instant(text: str, now: datetime) -> datetime:
    try:
        at = clock.parse(text)
    except (ValueError, OverflowError):
        example = "write it like 2026-03-01T07:31 (UTC) or 2026-03-01T07:31+01:00"
        raise EntryError(f'consent_at: "{text[:60]}" is not a time; {example}') from None
    if at.year < 1970 or at > now:
        raise EntryError(f'consent_at: "{text[:60]}" {"lies in the future" if at > now else "is too long ago"}')
    return at


def _ip(text: str) -> str:
    try:
        return str(ip_network(text, strict=False) if "/" in text else ip_address(text))
    except ValueError:
        raise EntryError(f'consent_ip: "{text[:60]}" is not an IP address or network') from None
