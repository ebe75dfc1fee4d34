"""What comes in by command rather than by file passes the same checks as config."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from dispatcher.config.addresses import reader_email
from dispatcher.config.fields import Checks
from dispatcher.config.section import Section
from dispatcher.config.settings import SourceEntry, SubscriberEntry, TopicEntry
from dispatcher.errors import DispatcherError
from dispatcher.schedule import cadence
from dispatcher.topics import parser

Entry = TypeVar("Entry", bound=Section)
CHECKS = Checks(cadence=cadence.parse, query=parser.parse)


class EntryError(DispatcherError):
    """A source, topic or person that somebody gave is not well formed; says all that is wrong with it."""


def source_entry(**values: Any) -> SourceEntry:
    """A checked source, or EntryError."""
    return _checked(SourceEntry, values)


def topic_entry(**values: Any) -> TopicEntry:
    """A checked topic, or EntryError."""
    return _checked(TopicEntry, values)


def subscriber_entry(**values: Any) -> SubscriberEntry:
    """A checked person, or EntryError."""
    return _checked(SubscriberEntry, values)


def address(text: str) -> str:
    """An e-mail address as we store it; one that is not well formed stays as it is, and nobody has it."""
    try:
        return reader_email(text).lower()
    except ValueError:
        return text.strip().lower()


def _checked(kind: type[Entry], values: dict[str, Any]) -> Entry:
    try:
        return kind.model_validate(values, context=CHECKS)
    except ValidationError as error:
        found = [(next((str(key) for key in reversed(one["loc"]) if isinstance(key, str)), ""), one["msg"])
                 for one in error.errors()]  # fmt: skip
        raise EntryError("; ".join(f"{key}: {message}" for key, message in found)) from None
