"""People whom the operator brings by command, one at a time or a sheet of them. The operator vouches for consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.config.nearest import did_you_mean
from dispatcher.config.settings import SubscriberEntry
from dispatcher.errors import DispatcherError, StoreError
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.values import (
    ConsentKind,
    Origin,
    SubscriberStatus,
    SubscriptionStatus,
    SuppressionReason,
)
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import EVERY
from dispatcher.pipeline.entries import address
from dispatcher.schedule import cadence as cadences
from dispatcher.store import Transaction, consents, subscribers, suppressions, topics
from dispatcher.store.keys import address_hash

FIELDS = ("name", "timezone", "locale", "cadence")
VOUCHED = "the operator vouches for it"


class NotAdmittedError(DispatcherError):
    """This person may not be enrolled or changed so, or not without a consent of their own."""


async def person(tx: Transaction, email: str) -> Subscriber:
    """The person with this address, however it is written. StoreError if nobody here has it."""
    found = await subscribers.by_email(tx, address(email))
    if found is None:
        raise StoreError(f"nobody here has the address {email}; `dispatcher subscribers list` shows who does")
    return found


async def suppressed(ctx: Context, tx: Transaction, emails: Iterable[str]) -> dict[str, SuppressionReason]:
    """Why our mail to some of these addresses is suppressed: every mail, or all of our newsletters."""
    hashes = {email: address_hash(ctx.address_key, email) for email in emails if email}
    found = await suppressions.of(tx, list(hashes.values()))
    left = {email: {one.newsletter_id: one.reason for one in found.get(h, ())} for email, h in hashes.items()}
    return {email: reason for email, letters in left.items() if (reason := _reason(ctx, letters))}


def _reason(ctx: Context, left: Mapping[int, SuppressionReason]) -> SuppressionReason | None:
    if EVERY in left or not all(one.id in left for one in ctx.published):
        return left.get(EVERY)
    return left[ctx.newsletter.id or 0]


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of an address: the person, what they follow by topic id, and why nothing may be sent to it.

    `left` says why by newsletter, under EVERY where no mail at all may be sent.
    """

    reader: Subscriber | None
    mine: Mapping[int, Subscription]
    reason: SuppressionReason | None
    left: Mapping[int, SuppressionReason] = field(default_factory=dict)


async def look_up(ctx: Context, tx: Transaction, emails: Sequence[str]) -> dict[str, Known]:
    """What we know of each of these addresses, which are as we store them."""
    readers = await subscribers.by_emails(tx, emails)
    followed = await subscribers.subscriptions(tx, [reader.id or 0 for reader in readers.values()])
    hashes = {email: address_hash(ctx.address_key, email) for email in emails}
    barred = await suppressions.of(tx, list(hashes.values()))
    found: dict[str, Known] = {}
    for email in emails:
        reader = readers.get(email)
        mine = {s.topic_id: s for s in followed.get(reader.id or 0, ())} if reader else {}
        left = {one.newsletter_id: one.reason for one in barred.get(hashes[email], ())}
        found[email] = Known(reader, mine, _reason(ctx, left), left)
    return found


def letters(ctx: Context, entry: SubscriberEntry, slugs: Mapping[str, Topic]) -> list[int]:
    """The newsletters that somebody would read by this entry: those of its topics, or else the default one."""
    asked = {slugs[follow.topic].newsletter_id or ctx.newsletter.id or 0 for follow in entry.topics}
    return sorted(asked or {ctx.newsletter.id or 0})


def is_settled(
    ctx: Context, entry: SubscriberEntry, slugs: Mapping[str, Topic], given: frozenset[str], known: Known
) -> bool:
    """Whether `admit` would find this person "unchanged". NotAdmittedError as there, but for what config declares."""
    asked = _asked(entry, slugs)
    _is_returning(entry.email, known, letters(ctx, entry, slugs), "")
    if known.reader is None:
        return False
    changes = _changes(known.reader, entry, given)
    usual = changes.get("cadence", known.reader.cadence)
    return not (changes or _wanted(known.reader, known.mine, asked, usual))


async def admit(
    ctx: Context, tx: Transaction, entry: SubscriberEntry, slugs: Mapping[str, Topic], now: datetime, *,
    origin: Origin, consent: str = "", given: frozenset[str] = frozenset(FIELDS), known: Known | None = None,
) -> str:  # fmt: skip
    """Enrol or update one person: "created", "updated" or "unchanged". `given` names the FIELDS that were said.

    What the reader chose stands. NotAdmittedError, and nothing is written, for a topic that does not exist; for
    somebody who left (without a new `consent`), bounced, complained or was erased; for what config says otherwise.
    `known` is what `look_up` found, where the caller has asked already.
    """
    asked = _asked(entry, slugs)
    known = known or (await look_up(ctx, tx, [entry.email.lower()]))[entry.email.lower()]
    asked_letters = letters(ctx, entry, slugs)
    is_returning = _is_returning(entry.email, known, asked_letters, consent)
    proof = {"how": origin.value, "at": now.isoformat(), "by": consent or VOUCHED}
    reader, mine = known.reader, known.mine
    if reader is None or is_returning:
        await vouch(ctx, tx, entry, proof["by"], now)
    if reader is None:
        reader = await enrolment.enrol(tx, ctx.address_key, _new(ctx, entry, origin, proof, now))
        wanted = {topic_id: cadence or reader.cadence for topic_id, cadence in asked.items()}
        await _follow(ctx, tx, reader, mine, wanted, slugs, origin, now)
        return "created"
    changes = _changes(reader, entry, given)
    wanted = _wanted(reader, mine, asked, changes.get("cadence", reader.cadence))
    if not (changes or wanted or is_returning):
        return "unchanged"
    if not is_returning:
        _respect(ctx, reader, mine, changes, wanted, slugs)
    for name, value in changes.items():
        setattr(reader, name, value)
    if changes:
        await subscribers.write(tx, reader.id or 0, **changes)
    if is_returning:
        await enrolment.rejoin(tx, ctx.address_key, reader, asked_letters, proof)
    await _follow(ctx, tx, reader, mine, wanted, slugs, origin, now)
    return "updated"


async def vouch(
    ctx: Context, tx: Transaction, entry: SubscriberEntry, source: str, at: datetime, *, ip: str = ""
) -> None:  # fmt: skip
    """Keep as proof that somebody vouches for a person's consent."""
    email = entry.email.lower()
    row = {"kind": ConsentKind.VOUCHED, "newsletter_id": ctx.newsletter.id, "address": email,
           "address_hash": address_hash(ctx.address_key, email), "topics": [follow.topic for follow in entry.topics],
           "source": source, "ip": ip, "at": at}  # fmt: skip
    await consents.add_all(tx, [row])


def _asked(entry: SubscriberEntry, slugs: Mapping[str, Topic]) -> dict[int, str]:
    """Topic id → cadence, or nothing for the reader's usual one, of what an entry asks for."""
    for follow in entry.topics:
        if follow.topic not in slugs:
            known = did_you_mean(follow.topic, slugs, f"there are {', '.join(sorted(slugs)[:20]) or 'none yet'}")
            raise NotAdmittedError(f'there is no topic "{follow.topic}"{known}')
    return {slugs[follow.topic].id or 0: follow.cadence for follow in entry.topics}


def _is_returning(email: str, known: Known, asked: Sequence[int], consent: str) -> bool:
    """Whether somebody comes back, with a new consent, to a newsletter that they left. NotAdmittedError if they may not
    be written to."""
    reason = next((known.left[one] for one in (EVERY, *asked) if one in known.left), None)
    is_gone = known.reader is not None and known.reader.status == SubscriberStatus.UNSUBSCRIBED
    has_left = is_gone or (known.reader is not None and reason is not None)
    may_return = has_left and EVERY not in known.left and reason in (None, SuppressionReason.UNSUBSCRIBED)
    if (reason is not None or has_left) and not (consent and may_return):
        hint = "; `subscribers add --consent` says how they asked to come back" if may_return else ""
        raise NotAdmittedError(f"{email} is suppressed ({reason or 'unsubscribed'}) and gets no mail{hint}")
    return has_left


def _new(ctx: Context, entry: SubscriberEntry, origin: Origin, proof: dict[str, Any], now: datetime) -> Subscriber:
    return Subscriber(
        email=entry.email.lower(),
        name=entry.name,
        timezone=entry.timezone or ctx.settings.site.timezone,
        locale=entry.locale or ctx.settings.site.language,
        cadence=str(cadences.parse(entry.cadence)),
        origin=origin,
        consent=proof,
        created_at=now,
    )


def _changes(reader: Subscriber, entry: SubscriberEntry, given: frozenset[str]) -> dict[str, Any]:
    """The fields that were said, say something new, and were not chosen by the reader."""
    said = {name: getattr(entry, name) for name in FIELDS if name in given and name not in reader.chosen}
    if "cadence" in said:
        said["cadence"] = str(cadences.parse(said["cadence"]))
    return {name: value for name, value in said.items() if value and getattr(reader, name) != value}


def _wanted(
    reader: Subscriber, mine: Mapping[int, Subscription], asked: Mapping[int, str], usual: str
) -> dict[int, str]:
    """Topic id → cadence of every subscription that has to be made or changed; `usual` is the reader's from now on."""
    active = [s for s in mine.values() if s.status == SubscriptionStatus.ACTIVE]
    wanted = {s.topic_id: usual for s in active if s.cadence == reader.cadence}
    wanted |= {topic_id: str(cadences.parse(cadence or usual)) for topic_id, cadence in asked.items()}
    return {
        topic_id: cadence
        for topic_id, cadence in wanted.items()
        if topic_id not in mine
        or mine[topic_id].status == SubscriptionStatus.ENDED
        or (mine[topic_id].cadence != cadence and "cadence" not in mine[topic_id].chosen)
    }


def _respect(
    ctx: Context, reader: Subscriber, mine: Mapping[int, Subscription], changes: Mapping[str, Any],
    wanted: Mapping[int, str], slugs: Mapping[str, Topic],
) -> None:  # fmt: skip
    """NotAdmittedError for a topic that the reader has left, and for what the next command would undo."""
    asked = {slug for slug, topic in slugs.items() if topic.id in wanted}
    for slug in sorted(asked):
        found = mine.get(slugs[slug].id or 0)
        if found is not None and found.status == SubscriptionStatus.ENDED:
            raise NotAdmittedError(f'{reader.email} has left the topic "{slug}"')
    declared = next((one for one in ctx.settings.subscribers if one.email.lower() == reader.email), None)
    if declared is not None:
        said = [*changes, *(f"topic {follow.topic}" for follow in declared.topics if follow.topic in asked)]
        if said:
            where = ctx.settings.file or "the environment"
            raise NotAdmittedError(f"{reader.email} is declared in {where}; change this there: {', '.join(said)}")


async def _follow(
    ctx: Context, tx: Transaction, reader: Subscriber, mine: Mapping[int, Subscription], wanted: Mapping[int, str],
    slugs: Mapping[str, Topic], origin: Origin, now: datetime,
) -> None:  # fmt: skip
    """Make and change subscriptions, and the reader's schedules with them."""
    offered = {topic.id or 0: topic for topic in slugs.values()}
    theirs = await topics.by_ids(tx, [topic_id for topic_id in wanted if topic_id not in offered])
    looks_back = ctx.settings.schedule.first_digest == "period"
    for topic_id, cadence in wanted.items():
        topic = offered.get(topic_id) or theirs[topic_id]
        await enrolment.follow(
            tx, reader, topic, cadence, origin=origin, now=now, looks_back=looks_back, mine=list(mine.values())
        )
    await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now)
