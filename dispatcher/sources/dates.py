"""Dates as people and programs write them in feeds, front matter and meta tags."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_WRITTEN = ("%d %B %Y", "%d %b %Y", "%B %d %Y", "%b %d %Y", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S")
_SPACED_ZONE = re.compile(r"\s+(?=(?:[+-]\d{2}:?\d{2}|[Zz])$)")


def parse_date(value: object) -> datetime | None:
    """An aware UTC instant from ISO 8601, RFC 5322 or a plain date; None if it is none. No zone is taken as UTC."""
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str) or not value.strip() or len(value) > 100:
        return None
    text = value.strip()
    return _iso(text) or _mail(text) or _written(text)


def _iso(text: str) -> datetime | None:
    try:
        return _utc(datetime.fromisoformat(_SPACED_ZONE.sub("", text)))
    except ValueError:
        return None


def _mail(text: str) -> datetime | None:
    try:
        return _utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def _written(text: str) -> datetime | None:
    plain = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|,", "", text)
    for pattern in _WRITTEN:
        try:
            return _utc(datetime.strptime(plain, pattern))  # noqa: DTZ007 - _utc gives it its zone
        except ValueError:
            continue
    return None


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
