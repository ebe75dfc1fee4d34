"""What flows through the pipe, in numbers."""

from __future__ import annotations

from pydantic import BaseModel

from dispatcher.web.api.fields import At
from dispatcher.web.api.schemas.sending import PauseShown


class DaemonShown(BaseModel):
    """The daemon that runs on the database."""

    pid: int
    host: str
    since: At


class StatusShown(BaseModel):
    """What `dispatcher status --json` says."""

    sources: int
    sources_failing: int
    sources_paused: int
    articles: int
    topics: int
    matches: int
    subscribers: int
    subscribers_active: int
    subscriptions: int
    suppressions: int
    deliveries: dict[str, int]
    daemon: DaemonShown | None
    pauses: list[PauseShown]
