"""Foresight: the digests of a slot that is yet to come, as far as they can be made ahead of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dispatcher.model.content import Candidate
from dispatcher.schedule.quiet import release_at
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import Plan, Reader, decide


def foresee(
    reader: Reader, candidates: Mapping[int, Sequence[Candidate]], at: datetime, policy: Policy, taken: frozenset[str]
) -> Plan:
    """What `decide` would make of what is known now, if it were `at`, the instant of a slot that is yet to come."""
    return certain(decide(reader, candidates, at, policy, taken)) if is_foreseeable(reader, at) else Plan()


def is_foreseeable(reader: Reader, at: datetime) -> bool:
    """Whether anything can be said yet of a reader's slot: not if it will be their quiet time, or they are owed."""
    is_quiet = release_at(at, reader.zone, *reader.quiet) > at
    return not is_quiet and not any(due.next_due_at < at for due in reader.dues)


def certain(made: Plan) -> Plan:
    """Of what was decided for a slot to come, what is due then and has stories already.

    Everything else is left as it is, for that instant itself: empty digests, which may have a story by then; readers
    who are owed an alert, because it has its stories first.
    """
    if any(planned.cadence.is_instant for planned in made.planned):
        return Plan()
    filled = {(planned.newsletter_id, planned.channel, planned.cadence) for planned in made.planned}
    return Plan(
        planned=made.planned,
        read=tuple((f, at) for f, at in made.read if (f.newsletter_id, f.channel, f.cadence) in filled),
        moved=tuple(m for m in made.moved if (m[0].newsletter_id, m[0].channel, m[0].cadence) in filled),
    )
