"""`editions`: newsletters that a person writes, from the draft to who got it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import ALONE, Json, Limit, Listing, Yes, instant
from dispatcher.cli.session import context, load_file, run

if TYPE_CHECKING:
    from dispatcher.model.edition import Edition
    from dispatcher.pipeline.context import Context

app = typer.Typer(
    name="editions", cls=Listing, help="Newsletters that a person writes, in Markdown.", epilog=ALONE,
)  # fmt: skip

Which = Annotated[str, typer.Argument(metavar="SLUG|FILE", help="Its short name, or a manuscript.")]
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The edition's short name.")]
Manuscript = Annotated[Path, typer.Argument(metavar="FILE", help="Markdown with front matter.")]


@app.command("list")
def listing(limit: Limit = 50, json: Json = False) -> None:
    """List the newest editions."""
    run(_listing(limit, json=json))


async def _listing(limit: int, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.store import editions

    async with context() as ctx, ctx.store.read() as tx:
        found = await editions.every(tx, limit=limit)
    if json:
        show.as_json([_told(ctx, edition) for edition in found])
        return
    rows = [(e.slug, e.subject, e.status, e.send_at or "", ctx.letter(e.newsletter_id).slug) for e in found]
    empty = "none yet; write one and say `dispatcher editions new FILE`"
    show.table("editions", ("slug", "subject", "status", "send at", "newsletter"), rows, empty=empty)


@app.command()
def new(
    file: Manuscript,
    newsletter: Annotated[
        str, typer.Option("--newsletter", metavar="SLUG", help="Of this newsletter, whatever it says itself.")
    ] = "",
    json: Json = False,
) -> None:
    """Keep a manuscript as a draft; said again, it replaces the draft of the same name."""
    run(_new(file, newsletter, json=json))


async def _new(file: Path, newsletter: str, *, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, editions

    text = _text_of(file)
    async with context() as ctx, ctx.store.write() as tx:
        now = clock.now()
        kept = await editions.keep(ctx, tx, text, now, name=str(file), newsletter=newsletter)
        await audit.note(tx, "cli", "write edition", kept.slug, now, version=kept.version)
    if json:
        show.as_json(_told(ctx, kept))
        return
    show.say(f"kept {kept.slug}, version {kept.version}: {kept.subject}")
    show.note(f"look at it: dispatcher editions preview {kept.slug} --out edition.html")


@app.command()
def preview(
    which: Which,
    to: Annotated[str, typer.Option("--as", metavar="EMAIL", help="As this reader would get it.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here: .html, .txt or .eml.")] = None,
) -> None:
    """Show an edition as a reader would get it now. Nothing is sent or changed."""
    run(_preview(which, to, out))


async def _preview(which: str, to: str, out: Path | None) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.proof import NOBODY, proof

    async with context() as ctx:
        seen = await proof(ctx, await _edition(ctx, which), clock.now(), to=to or NOBODY)
    if out is None:
        show.say(f"Subject: {seen.subject}\n\n{seen.text.rstrip()}")
        return
    _write(out, {".eml": seen.raw, ".txt": seen.text.encode()}.get(out.suffix.lower(), seen.html.encode()))
    show.say(f"wrote {out}: {seen.subject}")


def _write(file: Path, octets: bytes) -> None:
    from dispatcher.errors import ConfigError, Problem

    try:
        file.write_bytes(octets)
    except OSError as error:
        raise ConfigError([Problem(str(file), "", f"it cannot be written: {error}")]) from None


@app.command()
def test(
    which: Which, to: Annotated[list[str], typer.Argument(metavar="EMAIL...", help="Who gets the proof.")]
) -> None:
    """Send a proof to these addresses and nobody else; "[Test]" stands before its subject."""
    run(_test(which, to))


async def _test(which: str, addresses: list[str]) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.proof import send_proof

    async with context() as ctx:
        found = await _edition(ctx, which)
        for address in addresses:
            await send_proof(ctx, found, clock.now(), address)
            show.say(f"sent a proof to {address}")


@app.command()
def schedule(
    slug: Slug,
    at: Annotated[
        datetime | None, typer.Option("--at", metavar="TIME", parser=instant, help="Then, whatever it says itself.")
    ] = None,
) -> None:
    """Have an edition leave at the time that it names, or at another."""
    run(_schedule(slug, at))


async def _schedule(slug: str, at: datetime | None) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, editions

    async with context() as ctx:
        async with ctx.store.write() as tx:
            now = clock.now()
            found = await editions.schedule(tx, slug, now, at=at)
            await audit.note(tx, "cli", "schedule edition", slug, now, send_at=found.send_at)
        readers = await _readers(ctx, found)
    where = "in each reader's zone" if found.in_reader_zone else "UTC"
    show.say(f"{slug} leaves at {found.send_at:%Y-%m-%d %H:%M} {where}, for {readers} readers as of now")


@app.command()
def send(slug: Slug, yes: Yes = False) -> None:
    """Have an edition leave now: with the daemon's next pass, or that of `dispatcher run --once`."""
    run(_send(slug, yes=yes))


async def _send(slug: str, *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, editions

    async with context() as ctx:
        async with ctx.store.read() as tx:
            found = await editions.named(tx, slug)
        readers = await _readers(ctx, found)
        show.confirm(f"Send {slug}, {found.subject!r}, to {readers} readers?", yes=yes)
        now = clock.now()
        async with ctx.store.write() as tx:
            await editions.schedule(tx, slug, now, at=now)
            await audit.note(tx, "cli", "send edition", slug, now)
    show.say(f"{slug} leaves now, for {readers} readers")


@app.command()
def unschedule(slug: Slug) -> None:
    """Make a scheduled edition a draft again."""
    run(_move(slug, "unschedule", "is a draft again"))


@app.command()
def pause(slug: Slug) -> None:
    """Stop an edition; what has not left is held until `resume`."""
    run(_move(slug, "pause", "is paused"))


@app.command()
def resume(slug: Slug) -> None:
    """Go on with a paused edition."""
    run(_move(slug, "resume", "goes on"))


@app.command()
def cancel(slug: Slug, yes: Yes = False) -> None:
    """End an edition for good: what has not left never will."""
    from dispatcher.cli import show

    show.confirm(f"Cancel {slug} for good?", yes=yes)
    run(_move(slug, "cancel", "is cancelled"))


async def _move(slug: str, how: str, done: str) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, editions

    async with context() as ctx, ctx.store.write() as tx:
        now = clock.now()
        mails = await editions.MOVES[how](tx, slug, now)
        await audit.note(tx, "cli", f"{how} edition", slug, now, mails=mails)
    show.say(f"{slug} {done}" + (f"; this moves {mails} mails" if mails else ""))


@app.command()
def status(slug: Slug, json: Json = False) -> None:
    """Say where an edition stands: how many got it, how many did not, and why."""
    run(_status(slug, json=json))


async def _status(slug: str, *, json: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline import editions
    from dispatcher.pipeline.circulation import circulation

    async with context() as ctx, ctx.store.read() as tx:
        found = await editions.named(tx, slug)
        came = await circulation(tx, found)
        told = _told(ctx, found)
    if json:
        show.as_json({**told, "readers": came.readers, "mails": came.mails, "reasons": came.reasons})
        return
    mails = ", ".join(f"{number} {name}" for name, number in came.mails.items())
    why = "\n".join(f"{number} {name}: {words}" for name, words, number in came.reasons)
    show.facts(slug, {**told, "readers": came.readers, "mails": mails, "why": why})
    if came.mails:
        show.note(f"one by one: dispatcher deliveries list --edition {slug}")


def _told(ctx: Context, edition: Edition) -> dict[str, Any]:
    from dispatcher.cli import show

    left_out = ("id", "newsletter_id", "source", "body", "items", "progress")
    return show.fields(edition, *left_out) | {"newsletter": ctx.letter(edition.newsletter_id).slug}


async def _readers(ctx: Context, edition: Edition) -> int:
    from dispatcher.pipeline.circulation import circulation

    async with ctx.store.read() as tx:
        return (await circulation(tx, edition)).readers


async def _edition(ctx: Context, which: str) -> Edition:
    """The edition of a name, or what is in a file."""
    from dispatcher import clock
    from dispatcher.pipeline import editions

    async with ctx.store.read() as tx:
        if {".", "/", "\\"} & set(which):  # no short name has these
            return await editions.drafted(ctx, tx, _text_of(Path(which)), clock.now(), name=which)
        return await editions.named(tx, which)


def _text_of(file: Path) -> str:
    from dispatcher.errors import ConfigError, Problem

    load_file()  # a configuration that cannot be used is told first
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), "", f"it cannot be read: {error}")]) from None
