"""What comes in by command rather than by file passes the same checks as config."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from dispatcher.config.fields import Checks
from dispatcher.config.settings import Section, SourceEntry, SubscriberEntry, TopicEntry
from dispatcher.errors import DispatcherError
from dispatcher.schedule import cadence
from dispatcher.topics import parser

Entry = TypeVar("Entry", bound=Section)
CHECKS = Checks(cadence=cadence.parse, query=parser.parse)


def source_entry(**values: Any) -> SourceEntry:
    """A checked source; DispatcherError names the first thing wrong with it."""
    return _checked(SourceEntry, values)


def topic_entry(**values: Any) -> TopicEntry:
    """A checked topic; DispatcherError names the first thing wrong with it."""
    return _checked(TopicEntry, values)


def subscriber_entry(**values: Any) -> SubscriberEntry:
    """A checked subscriber; DispatcherError names the first thing wrong with it."""
    return _checked(SubscriberEntry, values)


def _checked(kind: type[Entry], values: dict[str, Any]) -> Entry:
    try:
        return kind.model_validate(values, context=CHECKS)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DispatcherError(f"{where}: {first['msg']}") from None
