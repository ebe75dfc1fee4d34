"""What can be set of the archive."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from dispatcher.config.fields import CadenceText, refused
from dispatcher.config.section import Section

_BY_DAY = ("daily", "weekdays", "weekly", "monthly")


def _by_day(text: str) -> str:
    """An issue is known by its day, so there can be one a day at most."""
    if not text.strip().lower().startswith(_BY_DAY):
        example = 'expected one such as "daily at 07:30" or "weekly on mon"'
        raise refused(f'"{text}" is no cadence for an archive; {example}')
    return text


class ArchiveSettings(Section):
    """[archive]: whether outsiders may read what was sent on public topics, and how often there is an issue of it."""

    public: bool = False
    cadence: Annotated[CadenceText, AfterValidator(_by_day)] = "daily at 07:30"
