"""What keeps mail back, and how today compares with the usual."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field

from dispatcher.model.outbound import Pause
from dispatcher.model.values import PauseScope
from dispatcher.pipeline.standing import Standing
from dispatcher.web.api.fields import At, Line, Sent


class PauseShown(BaseModel):
    """What keeps mail back: who or what, how much of it, since when."""

    scope: str
    cause: str
    reason: str
    by: str
    since: At

    @classmethod
    def of(cls, pause: Pause) -> Self:
        """From the row."""
        return cls(**pause.model_dump(include=set(cls.model_fields)))


class PauseAsked(Sent):
    """Keep mail back."""

    scope: Annotated[PauseScope, Field(description="`bulk`: digests and editions; `all`: every mail.")] = (
        PauseScope.BULK
    )
    reason: Annotated[Line, Field(max_length=500, description="Why, for whoever looks later.")] = ""


class VolumeShown(BaseModel):
    """Digests and editions of one day (UTC): how many ended, how many wait, the most on one of the 30 days before, and
    how many may leave without anybody being asked. The last two are null while there is no history."""

    today: int
    waiting: int
    usual: int | None
    most: int | None


class CountsShown(BaseModel):
    """What came to an end, and what came back of it."""

    sent: int
    failed: int
    bounced: int
    complained: int


class SendingShown(BaseModel):
    """How sending stands; `left_today` is null without a daily cap."""

    pauses: list[PauseShown]
    volume: VolumeShown
    left_today: int | None
    day: CountsShown
    week: CountsShown

    @classmethod
    def of(cls, found: Standing) -> Self:
        """From what the pipeline tells."""
        return cls(
            pauses=[PauseShown.of(pause) for pause in found.pauses],
            volume=VolumeShown.model_validate(found.volume, from_attributes=True),
            left_today=found.left_today,
            day=CountsShown.model_validate(found.day, from_attributes=True),
            week=CountsShown.model_validate(found.week, from_attributes=True),
        )
