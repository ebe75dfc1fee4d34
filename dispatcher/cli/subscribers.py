"""`subscribers`: who reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import ALONE, Json, Limit, Listing, Yes
from dispatcher.cli.session import context, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.model.audience import Subscriber
    from dispatcher.pipeline.context import Context
    from dispatcher.store import Transaction

app = typer.Typer(name="subscribers", cls=Listing, help="Who reads.", epilog=ALONE)
Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Letters = Annotated[
    list[str] | None,
    typer.Option("--newsletter", metavar="SLUG", help="A newsletter to read, with all its topics; may be repeated."),
]
Topics = Annotated[
    list[str] | None, typer.Option("--topic", metavar="SLUG", help='A topic, or "topic=cadence"; may be repeated.')
]
Name = Annotated[str, typer.Option("--name", metavar="TEXT", help="How mails greet them.")]
Zone = Annotated[str, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/London; else the site's.")]
Locale = Annotated[str, typer.Option("--locale", metavar="TAG", help="en, de, pt-BR …; else the site's.")]
Cadence = Annotated[str, typer.Option("--cadence", metavar="CADENCE", help="Of topics that name none of their own.")]


@app.command("list")
def listing(limit: Limit = 1000, json: Json = False) -> None:
    """List everybody with what they follow. Who was erased is gone."""
    run(_listing(limit, json=json))


async def _listing(limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import subscribers

    found: list[dict[str, Any]] = []
    async with context() as ctx, ctx.store.read() as tx:
        async for page in subscribers.pages(tx):
            found += await _described(ctx, tx, [person for person in page if person.email])
            if len(found) > limit:
                show.note(f"the first {limit}; there are more: --limit N shows them")
                break
    del found[limit:]
    if json:
        show.as_json(found)
        return
    columns = ("email", "name", "status", "suppressed", "timezone", "locale", "origin", "topics")
    show.table(
        "subscribers",
        columns,
        [[_active(value) if (value := person[name]) and name == "topics" else value for name in columns]
         for person in found],
        empty="nobody yet; `dispatcher subscribers add EMAIL --topic SLUG`, or [[subscribers]] in config",
    )  # fmt: skip


def _active(followed: list[dict[str, str]]) -> str:
    return ", ".join(f"{s['topic']} ({s['cadence']})" for s in followed if s["status"] == "active")


async def _described(ctx: Context, tx: Transaction, people: Sequence[Subscriber]) -> list[dict[str, Any]]:
    """People as they are shown: with why nothing may be sent to them, if so, and what they follow."""
    from dispatcher.cli import show
    from dispatcher.pipeline.admission import suppressed
    from dispatcher.store import subscribers, topics

    mine = await subscribers.subscriptions(tx, [person.id or 0 for person in people])
    known = await topics.by_ids(tx, [s.topic_id for followed in mine.values() for s in followed])
    reasons = await suppressed(ctx, tx, [person.email for person in people])
    return [
        {
            **show.fields(person),
            "suppressed": reasons.get(person.email, ""),
            "topics": [
                {"topic": known[s.topic_id].slug, "cadence": s.cadence, "status": s.status, "origin": s.origin}
                for s in mine.get(person.id or 0, ())
            ],
        }
        for person in people
    ]


@app.command("show")
def show_one(email: Email, json: Json = False) -> None:
    """Show one person. What they follow, when they are next due, what they were sent."""
    run(_show_one(email, json=json))


async def _show_one(email: str, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.admission import person
    from dispatcher.store import outbox, subscribers

    async with context() as ctx, ctx.store.read() as tx:
        found = await person(tx, email)
        described = (await _described(ctx, tx, [found]))[0]
        due = (await subscribers.schedules(tx, [found.id or 0])).get(found.id or 0, [])
        sent = await outbox.listing(tx, subscriber_id=found.id, limit=10)
        names = {i: one.name if len(ctx.newsletters) > 1 else "" for i, one in ctx.newsletters.items()}
    if json:
        show.as_json({**described, "schedules": due, "deliveries": sent})
        return
    followed = described.pop("topics")
    show.facts(found.email, {name: value for name, value in described.items() if name not in ("id", "email")})
    for title, columns, rows in (
        ("follows", ("topic", "cadence", "status", "origin"), [list(s.values()) for s in followed]),
        ("next", ("newsletter", "cadence", "due"),
         [(names[s.newsletter_id], s.cadence, s.next_due_at) for s in due if s.next_due_at]),
        ("latest deliveries", ("id", "slot", "status", "why"),
         [(d.id, d.slot_at, d.status.value, d.reason) for d in sent]),
    ):  # fmt: skip
        show.say("")
        show.table(title, columns, rows)


@app.command()
def add(
    email: Email,
    topic: Topics = None,
    name: Name = "",
    timezone: Zone = "",
    locale: Locale = "",
    cadence: Cadence = "daily at 07:30",
    newsletter: Letters = None,
    consent: Annotated[str, typer.Option(metavar="TEXT", help="How they agreed; for somebody who had left.")] = "",
) -> None:
    """Add a person, active at once: you vouch for their consent."""
    values = {"name": name, "timezone": timezone, "locale": locale, "cadence": cadence}
    run(_admit(email, topic or [], newsletter or [], values, consent=consent, new=True))


@app.command("set")
def change(
    email: Email, topic: Topics = None, newsletter: Letters = None, name: Name = "", timezone: Zone = "",
    locale: Locale = "", cadence: Cadence = "",
) -> None:  # fmt: skip
    """Change a person's settings, or have them follow more topics."""
    values = {"name": name, "timezone": timezone, "locale": locale, "cadence": cadence}
    run(_admit(email, topic or [], newsletter or [], values, consent="", new=False))


async def _admit(
    email: str, followed: list[str], letters: list[str], values: dict[str, str], *, consent: str, new: bool
) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.model.values import Origin, SubscriberStatus
    from dispatcher.pipeline.admission import admit
    from dispatcher.pipeline.belonging import on_offer
    from dispatcher.pipeline.entries import subscriber_entry
    from dispatcher.pipeline.hooks import announce
    from dispatcher.store import subscribers, topics

    said = {name: value for name, value in values.items() if value}
    pairs = (text.partition("=") for text in followed)
    follows = [{"topic": slug.strip(), "cadence": own.strip()} for slug, _, own in pairs]
    entry = subscriber_entry(email=email, topics=follows, **said)
    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        if letters:
            named = {follow["topic"] for follow in follows}
            more = [slug for letter in letters for slug in await on_offer(ctx, tx, letter) if slug not in named]
            entry = subscriber_entry(email=email, topics=[*follows, *({"topic": slug} for slug in more)], **said)
        found = await subscribers.by_email(tx, entry.email.lower())
        if new and found is not None and found.status != SubscriberStatus.UNSUBSCRIBED:
            raise StoreError(f"{entry.email} is here already; change them with `dispatcher subscribers set`")
        if not new and found is None:
            raise StoreError(f"nobody here has the address {entry.email}; add them with `dispatcher subscribers add`")
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
        done = await admit(ctx, tx, entry, slugs, now, origin=Origin.CLI, consent=consent, given=frozenset(said))
        if new:
            reader = await subscribers.by_email(tx, entry.email.lower())
            assert reader is not None
            chosen = [follow.topic for follow in entry.topics]
            await announce(ctx, tx, "subscribed", now, key=f"cli:{reader.id}:{now}", reader=reader, topics=chosen)
    show.say(f"{'added' if done == 'created' else done} {entry.email.lower()}")
    if new and not entry.topics:
        show.note(f"they follow nothing yet: `dispatcher subscribers set {entry.email} --topic SLUG`")


@app.command()
def pause(email: Email) -> None:
    """Send a person nothing until they are resumed."""
    run(_switch(email, on=False))


@app.command()
def resume(email: Email) -> None:
    """Send again to a person who was paused. Whoever unsubscribed comes back only by themselves."""
    run(_switch(email, on=True))


async def _switch(email: str, *, on: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.model.values import PausedBy
    from dispatcher.pipeline import enrolment
    from dispatcher.pipeline.admission import person

    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        found = await person(tx, email)
        letter = ctx.newsletter.id or 0
        if on:
            done = await enrolment.resume(tx, found, letter, now)
        else:
            done = await enrolment.pause(tx, found, PausedBy.OPERATOR, letter, now)
        if not done:
            only = "paused people can be resumed" if on else "active people can be paused"
            raise StoreError(f"{found.email} is {found.status.value}; only {only}")
    show.say(f"{'resumed' if on else 'paused'} {found.email}")


@app.command()
def remove(
    email: Email,
    newsletter: Annotated[str, typer.Option(metavar="SLUG", help="From this newsletter only; else from all.")] = "",
    erase: Annotated[bool, typer.Option("--erase", help="Forget who they were; a keyed hash stays.")] = False,
    yes: Yes = False,
) -> None:
    """Unsubscribe a person. Neither config nor an import will bring them back."""
    if newsletter and erase:
        raise typer.BadParameter("a person is erased from all newsletters; give one of --newsletter and --erase")
    run(_remove(email, newsletter=newsletter, erase=erase, yes=yes))


async def _remove(email: str, *, newsletter: str, erase: bool, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.model.values import SubscriberStatus
    from dispatcher.pipeline import departure, enrolment
    from dispatcher.pipeline.admission import person
    from dispatcher.pipeline.hooks import announce

    async with context() as ctx:
        async with ctx.store.read() as tx:
            found = await person(tx, email)
        address = found.email
        if found.status == SubscriberStatus.UNSUBSCRIBED and not erase:
            show.say(f"{address} has unsubscribed already")
            return
        letter = ctx.publications.named(newsletter) if newsletter else None
        act = f"Erase {address}? They cannot be told apart from strangers afterwards." if erase else (
            f"Unsubscribe {address}? They will get nothing more{f' of {letter.name}' if letter else ''}.")  # fmt: skip
        show.confirm(act, yes=yes)
        newsletter_id, now = letter.id or 0 if letter else enrolment.EVERY, clock.now()
        async with ctx.store.write() as tx:
            if erase:
                await enrolment.erase(tx, ctx.address_key, found, now)
                gone: dict[str, Any] = {"subscriber_id": found.id, "erased": True}
                await announce(ctx, tx, "unsubscribed", now, key=f"cli:{found.id}:{now}", **gone)
            else:
                await departure.leave(ctx, tx, found, newsletter_id, now, departure.said_by("cli"))
    show.say(f"{'erased' if erase else 'unsubscribed'} {address}")
