"""Reasons: why each story of a reader's topics is where it is in what is planned for them, or is not there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dispatcher.model.content import Candidate
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.ranking import Merit
from dispatcher.schedule.select import (
    Due,
    Following,
    Planned,
    Reader,
    floor_of,
    instant_floor,
    is_back_catalogue,
    slot_at_of,
)


class Fate(StrEnum):
    """What became of a story."""

    CHOSEN = "chosen"
    OVER_TOPIC = "over the cap of its topic"
    OVER = "over the cap"
    TWIN = "another article of the same story is there"
    HAD = "already sent"
    PASSED = "left out of an earlier digest"
    OLD = "too old"
    BACKLOG = "from before its source was read"
    LATER = "its topic is not due"
    WAITS = "waits for the next digest"


@dataclass(frozen=True, slots=True)
class Reason:
    """One story under one topic, and its fate. `message` and `place` say where it is, if it is in one of the messages
    that are planned; `message` alone, which cap it fell to."""

    candidate: Candidate
    label: str
    others: tuple[str, ...]
    fate: Fate
    merit: Merit
    message: int | None = None
    place: int | None = None


def explain(
    reader: Reader, planned: Sequence[Planned], candidates: Mapping[int, Sequence[Candidate]], now: datetime
) -> list[Reason]:
    """The reasons of all these stories: of each message in reading order, then what its caps left out, the best first;
    then of the others, the newest first.

    `candidates` by query may be more than were loaded for the decision, so that there is something to be told.
    """
    found = [reason for number, one in enumerate(planned) for reason in _of_message(reader, number, one)]
    told = {reason.candidate.article_id for reason in found}
    clusters = {reason.candidate.cluster_id for reason in found}
    rest: dict[int, Reason] = {}
    for following in reader.followings:
        for candidate in candidates.get(following.query_id, ()):
            if candidate.article_id not in told and candidate.article_id not in rest:
                fate = Fate.TWIN if candidate.cluster_id in clusters else _fate(reader, following, candidate, now)
                merit = Merit.of(candidate, now, _period(following, now, reader.zone))
                rest[candidate.article_id] = Reason(candidate, following.label, (), fate, merit)
    newest = sorted(rest.values(), key=lambda one: (one.candidate.published_at, one.candidate.article_id), reverse=True)
    return found + newest


def _of_message(reader: Reader, number: int, planned: Planned) -> Iterator[Reason]:
    period = _period(planned, planned.slot_at, reader.zone)
    fates = ((Fate.CHOSEN, planned.picks), (Fate.OVER, planned.over), (Fate.OVER_TOPIC, planned.over_topic))
    for fate, picks in fates:
        for place, pick in enumerate(picks, 1):
            merit = Merit.of(pick.candidate, planned.slot_at, period)
            at = place if fate is Fate.CHOSEN else None
            yield Reason(pick.candidate, pick.label, pick.others, fate, merit, number, at)


def _fate(reader: Reader, following: Following, candidate: Candidate, now: datetime) -> Fate:
    due = _due(reader, following)
    if candidate.cluster_id in reader.had.get(following.channel, ()):
        return Fate.HAD
    if due is None and not following.cadence.is_instant:
        return Fate.LATER
    slot_at = slot_at_of(due, reader.zone, now) if due else now
    if candidate.release <= following.release and candidate.article_id not in reader.returned:
        return Fate.PASSED
    if is_back_catalogue(following, candidate, slot_at, reader.zone):
        return Fate.BACKLOG
    floor = floor_of(following, slot_at, reader.zone) if due else instant_floor(following, now)
    return Fate.OLD if candidate.seen_at < floor else Fate.WAITS


def _due(reader: Reader, following: Following) -> Due | None:
    wanted = following.channel, following.cadence, following.newsletter_id
    return next((due for due in reader.dues if (due.channel, due.cadence, due.newsletter_id) == wanted), None)


def _period(what: Following | Planned, at: datetime, zone: str) -> timedelta:
    """How long the period before an instant is; a day for what has none."""
    if what.cadence.is_instant:
        return timedelta(days=1)
    latest = cadences.latest_due(what.cadence, at, zone)
    return latest - cadences.previous_due(what.cadence, latest, zone)
