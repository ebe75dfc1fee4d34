"""The archive: what outsiders may read of what was sent."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant


class Issue(SQLModel, table=True):
    """A digest of one public topic, composed for nobody in particular: a page of the archive.

    `issued_on` is the local day of its slot, and its address; a topic has one issue a day at most. `release` is how
    far it had read the topic's matches.
    """

    __table_args__ = (sa.UniqueConstraint("topic_id", "issued_on"),)

    id: int | None = Field(default=None, primary_key=True)
    topic_id: int = Field(foreign_key="topic.id")
    issued_on: date = Field(sa_type=sa.Date)
    digest_id: int = Field(foreign_key="digest.id", index=True)
    slot_at: datetime = instant()
    release: int = 0
    created_at: datetime = instant(index=True)
