"""What waits for the end of a reader's quiet time: put off before it is looked at, so that no slot is used up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.schedule import cadence as cadences
from dispatcher.schedule import zones
from dispatcher.schedule.cadence import Cadence
from dispatcher.schedule.days import ONE_DAY
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.schedule.select import Due, Following, Reader, owed_from


@dataclass(frozen=True, slots=True)
class Wait:
    """What to save for a reader who waits."""

    dues: tuple[tuple[Due, datetime], ...]  # when each schedule is looked at instead
    looks: tuple[tuple[Following, datetime], ...]  # when each instant subscription is
    owed: tuple[tuple[Following, datetime], ...]  # how far back the unread of a subscription still counts then


def wait(reader: Reader, now: datetime) -> Wait | None:
    """What of a reader's due schedules and looks is put off, and until when. None if now is no quiet time of theirs.

    What a digest would have held now still counts when it comes, however many slots pass until then.
    """
    until = release_at(now, reader.zone, *reader.quiet)
    if until <= now:
        return None
    dues = tuple((due, leaves_at(due.cadence, now, reader.zone, reader.quiet)) for due in reader.dues)
    looks = tuple((f, until) for f in reader.followings if f.cadence.is_instant and f.look_at and f.look_at <= now)
    outlasted = {
        (due.channel, due.cadence) for due, then in dues if cadences.next_due(due.cadence, now, reader.zone) <= then
    }
    owing = [*(f for f, _ in looks), *(f for f in reader.followings if (f.channel, f.cadence) in outlasted)]
    return Wait(dues, looks, tuple((f, owed_from(f, now, reader.zone)) for f in owing))


def leaves_at(cadence: Cadence, moment: datetime, zone: str, quiet: Quiet) -> datetime:
    """When a digest that is due at an instant leaves: then, or at the end of quiet time.

    If the next digest comes soon after that end, the same day or within half a period, both are one.
    """
    end = release_at(moment, zone, *quiet)
    if end <= moment or cadence.is_instant:
        return end
    upcoming = cadences.next_due(cadence, end - datetime.resolution, zone)
    following = release_at(upcoming, zone, *quiet)
    return following if _is_soon(cadence, end, following, zone) else end


def _is_soon(cadence: Cadence, end: datetime, following: datetime, zone: str) -> bool:
    if cadences.period(cadence) < ONE_DAY:
        return following - end < cadences.period(cadence) / 2
    clock = zones.zone(zone)
    return zones.wall_at(following, clock).date() == zones.wall_at(end, clock).date()
