"""Holdings: what the archive shows. Topics that anybody may read, in their newsletters, their issues, and editions.

Nothing else reaches a page of the archive: every page asks here first, as things are at that moment, so that a topic
that is private, paused or gone is as if it had never been there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dispatcher.model.archive import Issue
from dispatcher.model.content import Story, Topic
from dispatcher.model.edition import Edition
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline import views
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.optin import offered
from dispatcher.pipeline.views import Standing
from dispatcher.store import Transaction, issues

MOST = 50
"""Stories of an issue that a summary holds, and editions that are listed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A topic that anybody may read, in its newsletter. `latest_at` is the slot of its latest issue, if asked for."""

    topic: Topic
    newsletter: Newsletter
    latest_at: datetime | None = None

    @property
    def topic_id(self) -> int:
        """The topic's id."""
        return self.topic.id or 0


@dataclass(frozen=True, slots=True)
class Number:
    """An issue with what can still be shown of it."""

    offer: Offer
    issue: Issue
    standing: Standing


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands in an issue. `more` counts the stories that are not shown."""

    number: Number
    stories: tuple[Story, ...]
    more: int

    @property
    def lasting_id(self) -> str:
        """The id that it has for feed readers."""
        offer, issue = self.number.offer, self.number.issue
        return lasting_id(offer.newsletter, f"{offer.topic.slug} {issue.issued_on}")


@dataclass(frozen=True, slots=True)
class Writing:
    """An edition that was written for everybody, in its newsletter."""

    edition: Edition
    newsletter: Newsletter

    @property
    def sent_at(self) -> datetime:
        """When it began to be sent."""
        return self.edition.released_at or self.edition.created_at

    @property
    def lasting_id(self) -> str:
        """The id that it has for feed readers."""
        return lasting_id(self.newsletter, f"edition {self.edition.slug}")


async def offers(ctx: Context, tx: Transaction) -> dict[str, Offer]:
    """By slug: the topics on offer, of newsletters that are published."""
    topics = await offered(tx)
    await ctx.acquaint(tx, {topic.newsletter_id for topic in topics.values() if topic.newsletter_id})
    found = {slug: Offer(topic, ctx.letter(topic.newsletter_id)) for slug, topic in topics.items()}
    return {slug: offer for slug, offer in found.items() if not offer.newsletter.is_paused}


async def writings(ctx: Context, tx: Transaction, some: Mapping[str, Offer]) -> list[Writing]:
    """The newest editions that were sent to all readers of a newsletter, or of some topics that are on offer."""
    return await _for_all(ctx, tx, await issues.editions(tx, MOST), some)


async def writing(ctx: Context, tx: Transaction, slug: str) -> tuple[Writing, Standing] | None:
    """One of them, and what of it can still be shown."""
    edition = await issues.edition(tx, slug)
    found = await _for_all(ctx, tx, [edition] if edition else [], await offers(ctx, tx))
    for one in found:
        digest = await issues.digest_of(tx, one.edition.id or 0, one.newsletter.language)
        for standing in await views.look(ctx, tx, [digest] if digest else []):
            return one, standing
    return None


async def _for_all(ctx: Context, tx: Transaction, some: Sequence[Edition], known: Mapping[str, Offer]) -> list[Writing]:
    """Those of these editions that were not meant for some readers only, as by their language or by when they came."""
    await ctx.acquaint(tx, {edition.newsletter_id for edition in some})
    found = [Writing(edition, ctx.letter(edition.newsletter_id)) for edition in some if _is_for_all(edition, known)]
    return [one for one in found if not one.newsletter.is_paused]


def _is_for_all(edition: Edition, known: Mapping[str, Offer]) -> bool:
    return edition.audience.keys() <= {"topics"} and known.keys() >= set(edition.audience.get("topics", ()))


async def dated(tx: Transaction, some: Sequence[Offer]) -> list[Offer]:
    """The same with the slots of their latest issues."""
    last = await issues.latest(tx, [offer.topic_id for offer in some])
    return [replace(o, latest_at=last[o.topic_id].slot_at) if o.topic_id in last else o for o in some]


async def numbers(ctx: Context, tx: Transaction, some: Sequence[Offer], found: Sequence[Issue]) -> list[Number]:
    """Issues of these topics, in their order. One of which nothing is kept any more is left out."""
    of_topic = {offer.topic_id: offer for offer in some}
    digests = await issues.digests(tx, found)
    standings = {one.digest.id: one for one in await views.look(ctx, tx, digests.values())}
    return [
        Number(of_topic[issue.topic_id], issue, standings[issue.digest_id])
        for issue in found
        if issue.digest_id in standings
    ]


async def summaries(ctx: Context, some: Sequence[Number]) -> list[Summary]:
    """What stands in issues."""
    found = await views.contents(ctx, [number.standing for number in some])
    return [
        Summary(
            number,
            content.stories[:MOST],
            max(len(content.stories) - MOST, 0) + content.more + number.standing.left_out,
        )
        for number, content in zip(some, found, strict=True)
    ]


def lasting_id(newsletter: Newsletter, name: str) -> str:
    """An IRI that neither a new address of our pages nor another title changes (RFC 4287 §4.2.6): the list's own id
    is in it."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{newsletter.list_id or newsletter.slug} {name}").urn
