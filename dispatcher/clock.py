"""The one place that asks the machine what time it is. Everything else is passed `now`."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """An ISO 8601 instant as aware UTC; one without a zone is taken as UTC. ValueError if it is not one."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
