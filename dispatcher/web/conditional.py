"""Conditional requests: who has a page already is told so, before it is made anew (RFC 9110 §13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response


def mark_of(*shown: object) -> str:
    """Another one whenever any of what shows is."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]


def validators(mark: str, modified_at: datetime | None = None) -> dict[str, str]:
    """The fields that let a page be asked for again. `mark` is another one whenever the page is."""
    dated = {"Last-Modified": format_datetime(modified_at.astimezone(UTC), usegmt=True)} if modified_at else {}
    return {"ETag": f'"{mark}"', **dated}


def unchanged(request: Request, mark: str, modified_at: datetime | None, headers: Mapping[str, str]) -> Response | None:
    """The answer to who has this page already. `headers` are those that the page itself would have."""
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        is_had = wanted.strip() == "*" or mark in _MARK.findall(wanted)
    else:
        is_had = modified_at is not None and _is_since(request.headers.get("if-modified-since", ""), modified_at)
    return Response(status_code=304, headers=dict(headers)) if is_had else None


_MARK = re.compile('"([^"]*)"')


def _is_since(text: str, modified_at: datetime) -> bool:
    try:
        since = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):  # what a stranger may write
        return False
    return since.tzinfo is not None and modified_at.replace(microsecond=0) <= since
