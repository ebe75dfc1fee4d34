"""Choices: what somebody asked for in a form, checked as config would, and kept until they confirm it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dispatcher.config.addresses import reader_email
from dispatcher.digest.addresses import AddressError, addr_spec
from dispatcher.errors import QueryError
from dispatcher.pipeline.entries import EntryError, address, subscriber_entry
from dispatcher.pipeline.own_topics import LONGEST_QUERY
from dispatcher.schedule import cadence as cadences
from dispatcher.topics.parser import parse

LONGEST_NAME = 100
_FILLED = {"email": "reader@example.org"}


@dataclass(frozen=True, slots=True)
class Choices:
    """Who wants what: publisher's topics by slug, queries of their own, one cadence for all of it.

    `newsletter` is the slug of the one whose page they were on, if it was one's own: to it belong their queries.
    """

    address: str
    name: str = ""
    topics: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    cadence: str = "daily at 07:30"
    timezone: str = ""
    locale: str = ""
    newsletter: str = ""

    def stored(self) -> dict[str, Any]:
        """As JSON; the address has a column of its own."""
        stored = {name: value for name, value in asdict(self).items() if name != "address"}
        return stored if self.newsletter else {name: value for name, value in stored.items() if name != "newsletter"}

    @classmethod
    def loaded(cls, address: str, stored: Mapping[str, Any]) -> Choices:
        """What `stored` gave."""
        lists = {name: tuple(stored.get(name, ())) for name in ("topics", "queries")}
        return cls(address, **{**stored, **lists})


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a form: fields by name with a word for what it is, and queries by their place."""

    fields: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[int, QueryError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.fields or self.queries)


def check(
    asked: Choices, *, offered: Collection[str], locales: Collection[str], own_topics: int, disposable: Collection[str]
) -> tuple[Choices, Faults]:
    """The choices in normal form, and all that is wrong with them. Only without faults may they be acted upon.

    `offered` are the slugs that anybody may follow, `disposable` the mail domains that may not subscribe.
    """
    found = {**_faulty_address(asked.address, disposable), **_faulty_fields(asked, locales)}
    topics = tuple(dict.fromkeys(asked.topics))
    queries = tuple(dict.fromkeys(text.strip() for text in asked.queries if text.strip()))
    if any(slug not in offered for slug in topics):
        found["topics"] = "unknown"
    elif not (topics or queries):
        found["topics"] = "none"
    if len(queries) > own_topics:
        found["queries"] = "too many"
    faults = Faults(found, faulty_queries(queries))
    cadence = asked.cadence if "cadence" in found else str(cadences.parse(asked.cadence))
    good = Choices(
        address=asked.address.strip() if "address" in found else address(asked.address),
        name=asked.name.strip(),
        topics=topics,
        queries=queries,
        cadence=cadence,
        timezone=asked.timezone,
        locale=asked.locale,
        newsletter=asked.newsletter,
    )
    return good, faults


def faulty_queries(queries: Sequence[str]) -> dict[int, QueryError]:
    """What is wrong with queries, by their place."""
    found: dict[int, QueryError] = {}
    for place, text in enumerate(queries):
        try:
            if len(text) > LONGEST_QUERY:
                raise QueryError(
                    "the query is too long", text=text[:LONGEST_QUERY], line=1, column=LONGEST_QUERY,
                    expected=f"at most {LONGEST_QUERY} characters",
                )  # fmt: skip
            parse(text)
        except QueryError as error:
            found[place] = error
    return found


def _faulty_address(text: str, disposable: Collection[str]) -> dict[str, str]:
    """What is wrong with an address that strangers give: it must be well formed, and reachable without SMTPUTF8."""
    try:
        email = reader_email(text)
        addr_spec(email)
    except AddressError as error:
        return {"address": "not ascii" if error.enhanced == "5.6.7" else "malformed"}
    except ValueError:
        return {"address": "malformed" if text.strip() else "missing"}
    labels = email.lower().rpartition("@")[2].split(".")
    parents = {".".join(labels[start:]) for start in range(len(labels))}
    return {"address": "disposable"} if parents & set(disposable) else {}


def _faulty_fields(asked: Choices, locales: Collection[str]) -> dict[str, str]:
    """Each field by itself, so that what is wrong with it can stand beneath it."""
    found: dict[str, str] = {}
    for name in ("name", "timezone", "cadence"):
        try:
            subscriber_entry(**_FILLED, **{name: getattr(asked, name)})
        except EntryError:
            found[name] = "malformed"
    if len(asked.name.strip()) > LONGEST_NAME:
        found["name"] = "too long"
    if not asked.timezone:
        found["timezone"] = "missing"
    if asked.locale not in locales:
        found["locale"] = "unknown"
    return found
