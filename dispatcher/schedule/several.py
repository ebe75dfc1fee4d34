"""Several newsletters: a reader is decided about as a reader of each, one newsletter after the other. Pure.

    reader ─▶ what they follow and what is due, by newsletter ─▶ `decide` for each ─▶ one plan

A story goes to a reader once per channel, whatever newsletters they read: of those that have it at the same time, the
one that was there first brings it (the default newsletter before all others).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import Plan, Planned, Reader, decide, slots

Candidates = Mapping[int, Sequence[Candidate]]
Slot = tuple[int, str]
"""A newsletter's id and the name of a slot."""


def decide_each(
    reader: Reader, candidates: Candidates, now: datetime, policy: Callable[[int], Policy], taken: frozenset[Slot]
) -> Plan:
    """Everything that is due for one reader, in the order of their newsletters' ids. `policy` is each newsletter's."""
    had = {channel: set(clusters) for channel, clusters in reader.had.items()}
    whole, numbers = Plan(), newsletters(reader)
    for newsletter_id in numbers:
        mine = reader if len(numbers) == 1 else _reader_of(reader, newsletter_id, had)
        filled = frozenset(slot for number, slot in taken if number == newsletter_id)
        made = decide(mine, candidates, now, policy(newsletter_id), filled)
        planned = tuple(replace(one, newsletter_id=newsletter_id) for one in made.planned)
        _note(had, planned)
        whole = Plan(whole.planned + planned, whole.read + made.read, whole.moved + made.moved)
    return whole


def slots_of(reader: Reader, now: datetime) -> list[Slot]:
    """The slots that `decide_each` would fill: what to ask the outbox about first."""
    return [(number, slot) for number in newsletters(reader) for slot in slots(_reader_of(reader, number), now)]


def newsletters(reader: Reader) -> list[int]:
    """The newsletters that a reader follows anything of, or of which something is due."""
    return sorted({one.newsletter_id for some in (reader.followings, reader.dues) for one in some})


def _reader_of(reader: Reader, newsletter_id: int, had: Mapping[Channel, set[int]] | None = None) -> Reader:
    """A reader as one of this newsletter alone."""
    return replace(
        reader,
        followings=[f for f in reader.followings if f.newsletter_id == newsletter_id],
        dues=[due for due in reader.dues if due.newsletter_id == newsletter_id],
        had={channel: frozenset(clusters) for channel, clusters in (had or {}).items()},
    )


def _note(had: dict[Channel, set[int]], planned: Sequence[Planned]) -> None:
    for one in planned:
        had.setdefault(one.channel, set()).update(pick.candidate.cluster_id for pick in one.picks)
