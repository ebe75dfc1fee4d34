"""Which schedules a reader needs now: decided from their rows, what they follow, their zone and `now`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from dispatcher.model.audience import Schedule
from dispatcher.model.values import Channel
from dispatcher.schedule import cadence as cadences


def revise(
    rows: Sequence[Schedule], wanted: Collection[tuple[Channel, str]], *, subscriber_id: int, newsletter_id: int,
    zone: str, now: datetime,
) -> list[Schedule]:  # fmt: skip
    """The schedules to be written so that there is one, reckoned in `zone`, for each channel and cadence wanted.

    New ones have no id. One that nobody needs goes dormant and keeps its last slot, so that a change of zone or
    cadence never brings two digests of one label within half its period.
    """
    changed = [
        _with(row, next_due_at=None)
        for row in rows
        if row.next_due_at is not None and (row.channel, row.cadence) not in wanted
    ]
    known = {(row.channel, row.cadence): row for row in rows}
    for channel, text in sorted(wanted):
        row = known.get((channel, text))
        if row is not None and row.next_due_at is not None and row.timezone == zone:
            continue
        fresh = row or Schedule(
            subscriber_id=subscriber_id,
            channel=channel,
            newsletter_id=newsletter_id,
            cadence=text,
            label=cadences.parse(text).label,
        )
        changed.append(_reckoned(fresh, rows, zone, now))
    return changed


def rouse(rows: Sequence[Schedule], *, zone: str, now: datetime) -> list[Schedule]:
    """The schedules to be written after a change of quiet time: those that wait for its end, due now."""
    return [
        _with(row, next_due_at=now)
        for row in rows
        if row.next_due_at is not None and row.next_due_at > now and row.timezone == zone and _waits(row, rows, now)
    ]


def _waits(row: Schedule, rows: Sequence[Schedule], now: datetime) -> bool:
    """Whether a schedule was put off: to an instant that is no slot of its own, or to a slot later than its next."""
    cadence, natural = cadences.parse(row.cadence), _reckoned(row, rows, row.timezone, now)
    assert row.next_due_at is not None
    assert natural.next_due_at is not None
    is_slot = cadences.latest_due(cadence, row.next_due_at, row.timezone) == row.next_due_at
    return not is_slot or natural.next_due_at < row.next_due_at


def _reckoned(row: Schedule, rows: Sequence[Schedule], zone: str, now: datetime) -> Schedule:
    """A schedule with its next slot, which keeps its distance from the last one of the same label."""
    alike = [r for r in rows if r.channel == row.channel and r.label == row.label and r.last_due_at is not None]
    last = max(alike, key=lambda r: r.last_due_at or now, default=row)
    due_at = cadences.next_after_change(cadences.parse(row.cadence), now, zone, last.last_due_at, last.timezone or zone)
    return _with(row, next_due_at=due_at, timezone=zone, last_due_at=last.last_due_at)


def _with(row: Schedule, **changes: datetime | str | None) -> Schedule:
    return Schedule(**row.model_dump() | changes)
