"""Who gets what: one reader's due digests and alerts, decided from rows and `now`, and nothing else.

The rules (design.md, "Points that decide correctness"):

- a subscription reads matches by their `release`; what it has read it never reads again;
- a story (cluster) goes to a reader once per channel, in the shortest cadence that has it;
- a first digest looks back one period; later ones take matches up to two periods old, so that a skipped or
  expired slot folds into the next one and no further;
- articles of a source's first poll count only if published within one period, and never at once;
- a slot that is too late to be of use is skipped, and the schedule moves on; late counts from the end of quiet time;
- several stories for alerts that had to wait for that end come as one digest;
- a slot is filled once; who follows topics at two times of day has two slots of one label a day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dispatcher.model.content import Candidate
from dispatcher.model.values import PLAIN, Channel, Order, Style
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.cadence import Cadence
from dispatcher.schedule.quiet import NEVER, Quiet, release_at
from dispatcher.schedule.ranking import Pick, Policy, arrange, in_order

INSTANT_LOOKBACK = timedelta(hours=12)  # what an alert's expiry is: an older match is no longer news
MOST_ALERTS = 5  # more stories than this at once become one digest


@dataclass(frozen=True, slots=True)
class Following:
    """One subscription as planning sees it."""

    subscription_id: int
    label: str
    query_id: int
    channel: Channel
    cadence: Cadence
    release: int
    created_at: datetime
    read_at: datetime | None = None
    floor_at: datetime | None = None
    owed_from_at: datetime | None = None
    look_at: datetime | None = None
    style: Style = PLAIN
    newsletter_id: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """One schedule whose time has come."""

    schedule_id: int
    channel: Channel
    cadence: Cadence
    next_due_at: datetime
    newsletter_id: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader with what they follow, what is due, and the stories they have had, by channel."""

    subscriber_id: int
    zone: str
    followings: Sequence[Following]
    dues: Sequence[Due]
    had: Mapping[Channel, frozenset[int]] = field(default_factory=dict)
    returned: frozenset[int] = frozenset()  # articles of digests that expired before they arrived
    quiet: Quiet = NEVER


@dataclass(frozen=True, slots=True)
class Planned:
    """One message to make: its picks in reading order, how many more the caps left out (`over`), and its slot.

    `styles` are those of topics that have one, by label.
    """

    channel: Channel
    cadence: Cadence
    slot: str
    slot_at: datetime
    picks: tuple[Pick, ...]
    more: int = 0
    labels: tuple[str, ...] = ()
    styles: Mapping[str, Style] = field(default_factory=dict)
    newsletter_id: int = 0
    over: tuple[Pick, ...] = ()
    over_topic: tuple[Pick, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be saved for one reader: messages, read positions and schedules."""

    planned: tuple[Planned, ...] = ()
    read: tuple[tuple[Following, datetime], ...] = ()
    moved: tuple[tuple[Due, datetime, datetime], ...] = ()  # schedule, next due, last due


def earliest_look(reader: Reader, now: datetime) -> datetime:
    """The oldest `seen_at` that any of this reader's due messages could take: how far back to load matches."""
    floors = [floor_of(f, slot_at_of(due, reader.zone, now), reader.zone) for due, f in _due_pairs(reader)]
    floors += [instant_floor(f, now) for f in reader.followings if f.cadence.is_instant]
    return min(floors, default=now)


def decide(
    reader: Reader, candidates: Mapping[int, Sequence[Candidate]], now: datetime, policy: Policy, taken: frozenset[str]
) -> Plan:
    """Everything that is due for one reader. `taken` are slots that already have a delivery.

    `candidates` by query, ordered by release.
    """
    planned: list[Planned] = []
    read: list[tuple[Following, datetime]] = []
    moved: list[tuple[Due, datetime, datetime]] = []
    had = {channel: set(clusters) for channel, clusters in reader.had.items()}

    for channel in sorted({f.channel for f in reader.followings if f.cadence.is_instant}):
        mine = [f for f in reader.followings if f.cadence.is_instant and f.channel == channel]
        planned += _alerts(mine, candidates, reader, had.setdefault(channel, set()), now, policy)
        read += [(f, now) for f in mine]

    for due in sorted(reader.dues, key=lambda due: (_period(due, reader.zone, now), due.schedule_id)):
        slot_at = slot_at_of(due, reader.zone, now)
        moved.append((due, cadences.next_due(due.cadence, max(now, slot_at), reader.zone), slot_at))
        mine = [f for f in reader.followings if f.channel == due.channel and f.cadence == due.cadence]
        slot = _slot(due, reader, now)
        if release_at(slot_at, reader.zone, *reader.quiet) + cadences.expiry(due.cadence) <= now or slot in taken:
            continue
        planned += _digest(due, slot, slot_at, mine, candidates, reader, had.setdefault(due.channel, set()), policy)
        read += [(f, slot_at) for f in mine]
    return Plan(tuple(planned), tuple(read), tuple(moved))


def slots(reader: Reader, now: datetime) -> list[str]:
    """The slots that `decide` would fill: what to ask the outbox about first."""
    return [_slot(due, reader, now) for due in reader.dues]


def _alerts(
    followings: Sequence[Following], candidates: Mapping[int, Sequence[Candidate]], reader: Reader, had: set[int],
    now: datetime, policy: Policy,
) -> list[Planned]:  # fmt: skip
    """One message per story; more than MOST_ALERTS at once, or several that waited, become one digest."""
    admitted = [
        (f, c)
        for f in followings
        for c in _unread(f, candidates, reader, instant_floor(f, now))
        if not is_back_catalogue(f, c, now, reader.zone)
    ]
    picks = _pick(admitted, had)
    if not picks:
        return []
    cadence, channel, policy = followings[0].cadence, followings[0].channel, replace(policy, at=now)
    if len(picks) > (1 if any(_has_waited(pick, reader) for pick in picks) else MOST_ALERTS):
        newest = max(pick.candidate.release for pick in picks)
        return [_planned(channel, cadence, f"instant:{newest}", now, picks, followings, policy)]
    labels, picks = tuple(f.label for f in followings), in_order(picks, policy)
    return [Planned(channel, cadence, f"story:{pick.candidate.cluster_id}", now, (pick,), 0, labels) for pick in picks]


def _has_waited(pick: Pick, reader: Reader) -> bool:
    """Whether a story came up in its reader's quiet time."""
    return release_at(pick.candidate.seen_at, reader.zone, *reader.quiet) > pick.candidate.seen_at


def _digest(
    due: Due, slot: str, slot_at: datetime, followings: Sequence[Following],
    candidates: Mapping[int, Sequence[Candidate]], reader: Reader, had: set[int], policy: Policy,
) -> list[Planned]:  # fmt: skip
    admitted = [
        (f, c)
        for f in followings
        for c in _unread(f, candidates, reader, floor_of(f, slot_at, reader.zone))
        if not is_back_catalogue(f, c, slot_at, reader.zone)
    ]
    picks = _pick(admitted, had)
    if not picks:
        return []
    if policy.order == Order.RANKED or any(f.style.order == Order.RANKED for f in followings):
        period = slot_at - cadences.previous_due(due.cadence, slot_at, reader.zone)
        policy = replace(policy, at=slot_at, period=period)
    return [_planned(due.channel, due.cadence, slot, slot_at, picks, followings, policy)]


def _planned(
    channel: Channel, cadence: Cadence, slot: str, slot_at: datetime, picks: Sequence[Pick],
    followings: Sequence[Following], policy: Policy,
) -> Planned:  # fmt: skip
    """Cap the picks and gather them under their topics, the topics in the order the reader follows them."""
    labels = tuple(f.label for f in followings)
    styles = {f.label: f.style for f in followings if f.style is not PLAIN}
    arranged = arrange(picks, labels, policy, styles)
    over, over_topic = arranged.over, arranged.over_topic
    return Planned(
        channel, cadence, slot, slot_at, arranged.shown, arranged.more, labels, styles, over=over, over_topic=over_topic
    )


def _pick(admitted: Iterable[tuple[Following, Candidate]], had: set[int]) -> list[Pick]:
    """One pick per cluster not yet had: its best article, under the first topic that has that article."""
    clusters: dict[int, list[tuple[Following, Candidate]]] = {}
    for following, candidate in admitted:
        if candidate.cluster_id not in had:
            clusters.setdefault(candidate.cluster_id, []).append((following, candidate))
    had.update(clusters)
    return [_best(found) for found in clusters.values()]


def _best(found: Sequence[tuple[Following, Candidate]]) -> Pick:
    if len(found) == 1:
        return Pick(found[0][1], found[0][0].label)
    best = min((candidate for _, candidate in found), key=lambda c: (c.published_at, c.article_id))
    labels = list(dict.fromkeys(f.label for f, c in found if c.article_id == best.article_id))
    score = max(c.score for _, c in found if c.article_id == best.article_id)
    return Pick(best if score == best.score else replace(best, score=score), labels[0], tuple(labels[1:]))


def _unread(
    following: Following, candidates: Mapping[int, Sequence[Candidate]], reader: Reader, floor: datetime
) -> Iterator[Candidate]:
    """What a subscription has not read, and what came back, seen at or after `floor`."""
    matches = candidates.get(following.query_id, ())
    start = bisect_right(matches, following.release, key=lambda c: c.release)
    if reader.returned:
        yield from (c for c in matches[:start] if c.article_id in reader.returned and c.seen_at >= floor)
    yield from (c for c in matches[start:] if c.seen_at >= floor)


def is_back_catalogue(following: Following, candidate: Candidate, slot_at: datetime, zone: str) -> bool:
    """Whether a source's first poll brought this, published more than a period before: nobody gets that.

    The period is the one before the slot, or, when that slot comes late or was missed, the one in which we saw it. An
    alert's period is nothing at all. After a change of cadence or zone, what was owed before is owed.
    """
    if not candidate.is_backlog:
        return False
    if following.owed_from_at is not None and candidate.published_at >= following.owed_from_at:
        return False
    if following.cadence.is_instant:
        return True
    cadence = following.cadence
    earliest = min(cadences.previous_due(cadence, slot_at, zone), cadences.latest_due(cadence, candidate.seen_at, zone))
    return candidate.published_at < max(earliest, following.floor_at or earliest)


def floor_of(following: Following, slot_at: datetime, zone: str) -> datetime:
    """The oldest `seen_at` that this slot takes for this subscription."""
    floor = cadences.previous_due(following.cadence, slot_at, zone)
    if following.read_at is not None or following.created_at <= floor:  # not its first slot
        floor = cadences.previous_due(following.cadence, floor, zone)
    if following.owed_from_at is not None:
        floor = min(floor, following.owed_from_at)
    return max(floor, following.floor_at) if following.floor_at is not None else floor


def instant_floor(following: Following, now: datetime) -> datetime:
    """The oldest `seen_at` that an alert takes now for this subscription."""
    floor = min(now - INSTANT_LOOKBACK, following.owed_from_at or now)
    return max(floor, following.floor_at) if following.floor_at is not None else floor


def owed_from(following: Following, at: datetime, zone: str) -> datetime:
    """How far back the unread of a subscription still counts when its cadence or zone changes at this instant."""
    if following.cadence.is_instant:
        return instant_floor(following, at)
    return floor_of(following, _pending(following, at, zone), zone)


def _pending(following: Following, at: datetime, zone: str) -> datetime:
    """The slot that would be filled next if nothing changed: the latest, while it is neither filled nor too late."""
    latest = cadences.latest_due(following.cadence, at, zone)
    is_late = latest + cadences.expiry(following.cadence) <= at
    is_filled = latest <= (following.read_at or following.created_at)
    return cadences.next_due(following.cadence, at, zone) if is_late or is_filled else latest


def _due_pairs(reader: Reader) -> Iterable[tuple[Due, Following]]:
    for due in reader.dues:
        for following in reader.followings:
            if following.channel == due.channel and following.cadence == due.cadence:
                yield due, following


def slot_at_of(due: Due, zone: str, now: datetime) -> datetime:
    """The slot to fill: the latest that has come. Those before it were missed, and fold into it."""
    return cadences.latest_due(due.cadence, now, zone)


def _slot(due: Due, reader: Reader, now: datetime) -> str:
    """The slot's name. It says the time too for a reader with several under one label, as in morning and evening."""
    slot = cadences.slot(due.cadence, slot_at_of(due, reader.zone, now), reader.zone)
    label = due.cadence.label
    alike = {f.cadence for f in reader.followings if f.channel == due.channel and f.cadence.label == label}
    return f"{slot}:{due.cadence}" if len(alike) > 1 else slot


def _period(due: Due, zone: str, now: datetime) -> timedelta:
    slot_at = slot_at_of(due, zone, now)
    return slot_at - cadences.previous_due(due.cadence, slot_at, zone)
