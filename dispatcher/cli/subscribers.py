"""`subscribers`: who reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.session import context, run, store

if TYPE_CHECKING:
    from dispatcher.model.audience import Subscriber
    from dispatcher.store import Transaction

app = typer.Typer(name="subscribers", help="Who reads.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Topics = Annotated[list[str] | None, typer.Option("--topic", help='A slug, or "slug=cadence"; may be repeated.')]


@app.command("list")
def listing(limit: Annotated[int, typer.Option(min=1)] = 1000, json: Json = False) -> None:
    """Everybody, with what they follow."""
    run(_listing(limit, json=json))


async def _listing(limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import subscribers

    found: list[dict[str, object]] = []
    async with store() as opened, opened.read() as tx:
        async for page in subscribers.pages(tx, size=min(limit, 500)):
            found += [await _described(tx, person) for person in page[: limit - len(found)]]
            if len(found) >= limit:
                break
    if json:
        show.as_json(found)
        return
    columns = ("email", "name", "status", "timezone", "locale", "origin", "topics")
    show.table(
        "subscribers",
        columns,
        [[_line(person[name]) for name in columns] for person in found],
        empty="nobody yet; `dispatcher subscribers add EMAIL --topic SLUG`, or [[subscribers]] in config",
    )


def _line(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(f"{s['topic']} ({s['cadence']})" for s in value if s["status"] == "active")
    return value


async def _described(tx: Transaction, person: Subscriber) -> dict[str, object]:
    from dispatcher.store import subscribers, topics

    mine = (await subscribers.subscriptions(tx, [person.id or 0])).get(person.id or 0, [])
    known = await topics.by_ids(tx, [s.topic_id for s in mine])
    followed = [
        {"topic": known[s.topic_id].slug, "cadence": s.cadence, "status": s.status.value, "origin": s.origin.value}
        for s in mine
    ]
    return {**person.model_dump(), "topics": followed}


@app.command("show")
def show_one(email: Email, json: Json = False) -> None:
    """One person: what they follow, when they are next due, what they were sent."""
    run(_show_one(email, json=json))


async def _show_one(email: str, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import outbox, subscribers

    async with store() as opened, opened.read() as tx:
        person = await _find(tx, email)
        described = await _described(tx, person)
        due = (await subscribers.schedules(tx, [person.id or 0])).get(person.id or 0, [])
        sent = await outbox.listing(tx, subscriber_id=person.id, limit=10)
    if json:
        show.as_json({**described, "schedules": due, "deliveries": sent})
        return
    show.facts(person.email, {name: value for name, value in described.items() if name != "topics"})
    followed = described["topics"]
    assert isinstance(followed, list)
    show.table("follows", ("topic", "cadence", "status", "origin"), [list(s.values()) for s in followed])
    show.table("next", ("cadence", "due"), [(s.cadence, s.next_due_at) for s in due if s.next_due_at])
    show.table(
        "latest deliveries",
        ("id", "slot", "status", "why"),
        [(d.id, d.slot_at, d.status.value, d.reason) for d in sent],
    )


async def _find(tx: Transaction, email: str) -> Subscriber:
    from dispatcher.errors import StoreError
    from dispatcher.store import subscribers

    person = await subscribers.by_email(tx, email.strip().lower())
    if person is None:
        raise StoreError(f"nobody here has the address {email}; `dispatcher subscribers list` shows who does")
    return person


@app.command()
def add(
    email: Email,
    topic: Topics = None,
    name: str = "",
    timezone: Annotated[str, typer.Option(help="Europe/London; the site's by default.")] = "",
    locale: Annotated[str, typer.Option(help="en, de, fr …; the site's by default.")] = "",
    cadence: Annotated[str, typer.Option(help="For topics that name none of their own.")] = "daily at 07:30",
    consent: Annotated[str, typer.Option(help="How they agreed; needed for somebody who had left.")] = "",
) -> None:
    """Add a person, active at once: you vouch for their consent."""
    values = {"name": name, "timezone": timezone, "locale": locale, "cadence": cadence}
    run(_add(email, topic or [], values, consent, frozenset(k for k, v in values.items() if v), new=True))


@app.command("set")
def change(
    email: Email,
    topic: Topics = None,
    name: str = "",
    timezone: str = "",
    locale: str = "",
    cadence: Annotated[str, typer.Option(help="The default, and that of every topic named here without one.")] = "",
) -> None:
    """Change a person's settings, or have them follow more topics."""
    values = {"name": name, "timezone": timezone, "locale": locale, "cadence": cadence}
    said = {k: v for k, v in values.items() if v}
    run(_add(email, topic or [], said, "", frozenset(said), new=False))


async def _add(
    email: str, followed: list[str], values: dict[str, str], consent: str, given: frozenset[str], *, new: bool
) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.model.values import Origin
    from dispatcher.pipeline.admission import admit
    from dispatcher.pipeline.entries import subscriber_entry
    from dispatcher.store import subscribers, topics

    pairs = (text.partition("=") for text in followed)
    follows = [{"topic": slug.strip(), "cadence": own.strip()} for slug, _, own in pairs]
    entry = subscriber_entry(email=email, topics=follows, **values)
    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        found = await subscribers.by_email(tx, entry.email.lower())
        if new and found is not None and not consent and found.status != "unsubscribed":
            raise StoreError(f"{entry.email} is here already; change them with `dispatcher subscribers set`")
        if not new and found is None:
            raise StoreError(f"nobody here has the address {entry.email}; add them with `dispatcher subscribers add`")
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
        done = await admit(ctx, tx, entry, slugs, now, origin=Origin.CLI, consent=consent, given=given)
    show.say(f"{done} {entry.email}")


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

    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        person = await _find(tx, email)
        letter = ctx.newsletter.id or 0
        if on:
            done = await enrolment.resume(tx, person, letter, now)
        else:
            done = await enrolment.pause(tx, person, PausedBy.OPERATOR, letter, now)
        if not done:
            raise StoreError(f"{person.email} is {person.status.value}; only {'paused' if on else 'active'} people can be "
                             f"{'resumed' if on else 'paused'}")  # fmt: skip
    show.say(f"{'resumed' if on else 'paused'} {person.email}")


@app.command()
def remove(
    email: Email,
    erase: Annotated[bool, typer.Option("--erase", help="Forget who they were; a keyed hash stays.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Unsubscribe a person. Config or an import will not bring them back."""
    run(_remove(email, erase=erase, yes=yes))


async def _remove(email: str, *, erase: bool, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import enrolment

    now = clock.now()
    async with context() as ctx:
        async with ctx.store.read() as tx:
            person = await _find(tx, email)
        act = "Erase" if erase else "Unsubscribe"
        show.confirm(f"{act} {person.email}? They will get nothing more.", yes=yes)
        leave = enrolment.erase if erase else enrolment.leave
        async with ctx.store.write() as tx:
            await leave(tx, ctx.address_key, person, ctx.newsletter.id or 0, now)
    show.say(f"{'erased' if erase else 'unsubscribed'} {email}")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: email, name, timezone, locale, topics, cadence.")],
    json: Json = False,
) -> None:
    """Add everybody in a CSV file, active at once. Bad lines are reported and left out."""
    bad = run(_import(file, json=json))
    raise typer.Exit(1 if bad else 0)


async def _import(path: Path, *, json: bool) -> int:
    from rich.progress import Progress

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.admission import import_csv

    with path.open(encoding="utf-8-sig", newline="") as file, Progress(disable=not sys.stdout.isatty() or json) as bar:
        task = bar.add_task("importing", total=None)
        async with context() as ctx:
            report = await import_csv(ctx, file, clock.now(), on_progress=lambda n: bar.update(task, completed=n))
    if json:
        show.as_json(report)
        return len(report.bad)
    for number, reason in report.bad:
        print(f"{path}: line {number}: {reason}", file=sys.stderr)
    show.say(f"{report.read} lines: {report.created} added, {report.updated} updated, {report.unchanged} unchanged, "
             f"{len(report.bad)} bad")  # fmt: skip
    return len(report.bad)


@app.command("export")
def export_file(file: Annotated[Path | None, typer.Argument(help="Standard output by default.")] = None) -> None:
    """Write everybody as CSV."""
    run(_export(file))


async def _export(path: Path | None) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline.admission import export_csv

    async with context() as ctx:
        if path is None:
            await export_csv(ctx, sys.stdout)
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            count = await export_csv(ctx, file)
    show.say(f"wrote {count} people to {path}")
