"""Foresight: the digests of a slot that is yet to come, as far as they can be made ahead of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dispatcher.model.content import Candidate
from dispatcher.schedule.quiet import release_at
from dispatcher.schedule.select import Plan, Policy, Reader, decide


def foresee(
    reader: Reader, candidates: Mapping[int, Sequence[Candidate]], at: datetime, policy: Policy, taken: frozenset[str]
) -> Plan:
    """What `decide` would make of what is known now, if it were `at`, the instant of a slot that is yet to come.

    Only what is due then and has stories already. Everything else is left as it is, for that instant itself: empty
    digests, which may have a story by then; readers whose quiet time it will be, or who are owed something before; and
    those who are owed an alert, because it has its stories first.
    """
    is_quiet = release_at(at, reader.zone, *reader.quiet) > at
    if is_quiet or any(due.next_due_at < at for due in reader.dues):
        return Plan()
    made = decide(reader, candidates, at, policy, taken)
    if any(planned.cadence.is_instant for planned in made.planned):
        return Plan()
    filled = {(planned.channel, planned.cadence) for planned in made.planned}
    return Plan(
        planned=made.planned,
        read=tuple((f, slot_at) for f, slot_at in made.read if (f.channel, f.cadence) in filled),
        moved=tuple(moved for moved in made.moved if (moved[0].channel, moved[0].cadence) in filled),
    )
