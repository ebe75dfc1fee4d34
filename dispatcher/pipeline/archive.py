"""The archive's step: public topics whose slot has come → their issues.

    offered topics ▷ those without an issue of this slot ▷ matches ▷ decide (pure: schedule.select) ▷ digests, issues

An issue is the digest of somebody who follows one topic, in the site's zone and the newsletter's language; whoever
really does shares its row. Nothing new: no issue. There is one a day and topic, whoever brings it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from dispatcher.config import Settings
from dispatcher.model.archive import Issue
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Candidate, Topic
from dispatcher.model.values import PLAIN, Channel, Style
from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.optin import offered
from dispatcher.pipeline.plan import digest_row, policy
from dispatcher.pipeline.quarantine import apart
from dispatcher.schedule import cadence as cadences
from dispatcher.schedule.cadence import Cadence
from dispatcher.schedule.select import Due, Following, Reader, decide, earliest_look
from dispatcher.store import Transaction, issues, planning
from dispatcher.store.engine import counter, in_turn, move_counter

log = logger("archive")

BATCH = 200  # topics in one transaction
CURSOR = "archive"  # the counter of the last slot that is done with, in minutes


@dataclass(slots=True)
class ArchiveReport:
    """What the step did."""

    topics: int = 0
    issues: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot that issues are brought out for."""

    cadence: Cadence
    at: datetime
    zone: str

    @property
    def day(self) -> date:
        """The local day that its issues are known by."""
        return date.fromisoformat(cadences.slot(self.cadence, self.at, self.zone).rpartition(":")[2])


def is_public(settings: Settings) -> bool:
    """Whether outsiders may read the archive. Without a public address, nothing could lead to its pages."""
    return settings.archive.public and bool(settings.web.public_url)


async def archive(ctx: Context, now: datetime) -> ArchiveReport:
    """Bring out what is due of every topic that anybody may follow; nothing while the archive is not public."""
    report = ArchiveReport()
    if not is_public(ctx.settings):
        return report
    zone, cadence = ctx.settings.site.timezone, cadences.parse(ctx.settings.archive.cadence)
    slot = Slot(cadence, cadences.latest_due(cadence, now, zone), zone)
    minutes = int(slot.at.timestamp()) // 60
    async with ctx.store.read() as tx:
        done = await counter(tx, CURSOR)
        due = list((await offered(tx)).values()) if done < minutes else []
    for start in range(0, len(due), BATCH):
        await _bring_out_safely(ctx, due[start : start + BATCH], slot, now, report)
    if done < minutes:
        async with ctx.store.write() as tx:
            await move_counter(tx, CURSOR, done, minutes)
    return report


async def _bring_out_safely(
    ctx: Context, some: Sequence[Topic], slot: Slot, now: datetime, report: ArchiveReport
) -> None:
    """Topics together. One that cannot be brought out does without this issue."""

    async def work(topics: Sequence[Topic]) -> None:
        async with ctx.store.write() as tx:
            await in_turn(tx, CURSOR)
            made = await _bring_out(ctx, tx, topics, slot, now)
        report.topics += len(topics)
        report.issues += made

    async def set_aside(topic: Topic, error: Exception) -> None:
        log.error("a topic has no issue in the archive", topic=topic.slug, exc_info=error)
        report.failed += 1

    await apart(some, work, set_aside)


async def _bring_out(ctx: Context, tx: Transaction, topics: Sequence[Topic], slot: Slot, now: datetime) -> int:
    last = await issues.latest(tx, [topic.id or 0 for topic in topics])
    due = [topic for topic in topics if topic.id not in last or last[topic.id].issued_on < slot.day]
    await ctx.acquaint(tx, {topic.newsletter_id for topic in due if topic.newsletter_id})
    readers = {topic.id or 0: _reader(ctx, topic, last.get(topic.id or 0), slot) for topic in due}
    release = await counter(tx, "release")
    candidates = await _candidates(tx, list(readers.values()), release, now)
    readers = await _with_history(tx, readers, candidates, slot, now)
    digests: dict[str, dict[str, Any]] = {}
    rows: list[tuple[str, dict[str, Any]]] = []
    for topic in due:
        for planned in decide(
            readers[topic.id or 0], candidates, now, policy(ctx, topic.newsletter_id or 0), frozenset()
        ).planned:
            digest = digest_row(ctx, _nobody(ctx), planned, now)
            digests[digest["key"]] = digest
            rows.append((digest["key"], _row(topic, slot, release, now)))
    ids, _ = await planning.save_digests(tx, digests)
    return await issues.save(tx, [{**row, "digest_id": ids[key]} for key, row in rows])


def _reader(ctx: Context, topic: Topic, last: Issue | None, slot: Slot) -> Reader:
    """Somebody who follows a topic and nothing else, and has read it up to its last issue."""
    newsletter_id = topic.newsletter_id or ctx.newsletter.id or 0
    following = Following(
        subscription_id=0,
        label=topic.name,
        query_id=topic.query_id,
        channel=Channel.EMAIL,
        cadence=slot.cadence,
        release=last.release if last else 0,
        created_at=topic.created_at,
        read_at=last.slot_at if last else None,
        style=Style.of(topic.digest) if topic.digest else PLAIN,
        newsletter_id=newsletter_id,
    )
    due = Due(0, Channel.EMAIL, slot.cadence, slot.at, newsletter_id)
    return Reader(0, slot.zone, (following,), (due,))


async def _candidates(
    tx: Transaction, readers: Sequence[Reader], release: int, now: datetime
) -> Mapping[int, list[Candidate]]:
    """What these have not read, by query."""
    followed = [following for reader in readers for following in reader.followings]
    since = min((earliest_look(reader, now) for reader in readers), default=now)
    after = min((following.release for following in followed), default=release)
    queries = {following.query_id for following in followed}
    found = await planning.candidates(tx, queries, after=after, upto=release, seen_from=since)
    tellers = await planning.tellers(tx, {one.cluster_id for some in found.values() for one in some})
    return {
        query_id: [replace(one, tellers=tellers.get(one.cluster_id, 1)) for one in some]
        for query_id, some in found.items()
    }


async def _with_history(
    tx: Transaction, readers: Mapping[int, Reader], candidates: Mapping[int, Sequence[Candidate]], slot: Slot,
    now: datetime,
) -> dict[int, Reader]:  # fmt: skip
    """Add the stories that stood in earlier issues, since the oldest of these came up."""
    stories = {one.cluster_id for some in candidates.values() for one in some}
    oldest = await planning.oldest_story(tx, stories) or now
    told = await issues.told(tx, list(readers), oldest.date() - date.resolution)
    return {
        topic_id: replace(reader, had={Channel.EMAIL: frozenset(told.get(topic_id, ()))})
        for topic_id, reader in readers.items()
    }


def _nobody(ctx: Context) -> Subscriber:
    """Who follows a topic in the archive: it speaks the newsletter's language, as to all who chose none."""
    return Subscriber(email="", locale=ctx.settings.site.language, timezone=ctx.settings.site.timezone)


def _row(topic: Topic, slot: Slot, release: int, now: datetime) -> dict[str, Any]:
    return {
        "topic_id": topic.id,
        "issued_on": slot.day,
        "slot_at": slot.at,
        "release": release,
        "created_at": now,
    }
