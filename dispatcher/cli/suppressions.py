"""`suppressions`: who must not be written to."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.leftout import Report, left_out
from dispatcher.cli.options import ALONE, Json, Limit, Listing, Yes
from dispatcher.cli.session import context, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dispatcher.model.feedback import Suppression
    from dispatcher.store import Transaction

app = typer.Typer(name="suppressions", cls=Listing, help="Who must not be written to.", epilog=ALONE)


class Why(StrEnum):
    """The reasons that can be given by hand."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPERATOR = "operator"


Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Reason = Annotated[Why, typer.Option("--reason", help="Why, where a line does not say.")]
Narrow = Annotated[bool, typer.Option("--newsletter", help="From this newsletter only; else from every mail.")]


@app.command("list")
def listing(limit: Limit = 1000, json: Json = False) -> None:
    """List who is suppressed, since when and why. Of somebody who was erased only a hash is known."""
    run(_listing(limit, json=json))


async def _listing(limit: int, *, json: bool) -> None:
    from dispatcher.cli import show

    async with context() as ctx, ctx.store.read() as tx:
        if json:
            await _stream(_first(tx, limit))
            return
        columns = ("email", "reason", "scope", "since")
        rows = [[one[name] for name in columns] async for one in _first(tx, limit)]
    show.table("suppressions", columns, [[email or "(erased)", *rest] for email, *rest in rows], empty="nobody")


async def _first(tx: Transaction, limit: int) -> AsyncIterator[dict[str, Any]]:
    """The first suppressions, with a hint if there are more."""
    from dispatcher.cli import show
    from dispatcher.store import suppressions

    left = limit
    async for page in suppressions.pages(tx):
        for one in page[:left]:
            yield _shown(one)
        if len(page) > left:
            show.note(f"the first {limit}; there are more: --limit N shows them, `suppressions export` writes all")
            return
        left -= len(page)


async def _stream(found: AsyncIterator[dict[str, Any]]) -> None:
    """Print a JSON list of any length, an object at a time."""
    import json

    before = "["
    async for one in found:
        print(f"{before}\n  {json.dumps(one | {'since': one['since'].isoformat()})}", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def _shown(one: Suppression) -> dict[str, Any]:
    return {
        "email": one.address,
        "reason": one.reason.value,
        "scope": one.scope.value,
        "since": one.since,
        "hash": one.address_hash,
    }


@app.command()
def add(email: Email, reason: Reason = Why.OPERATOR, newsletter: Narrow = False) -> None:
    """Send nothing more to an address, and end what waits for it."""
    run(_add(email, reason, is_narrow=newsletter))


async def _add(email: str, why: Why, *, is_narrow: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.model.values import SuppressionReason
    from dispatcher.pipeline import blocklist

    async with context() as ctx, ctx.store.write() as tx:
        is_new = await blocklist.suppress(ctx, tx, email, SuppressionReason(why), clock.now(), is_narrow=is_narrow)
    show.say(f"suppressed {email}" if is_new else f"{email} is suppressed already")


@app.command()
def remove(email: Email, newsletter: Narrow = False, yes: Yes = False) -> None:
    """Allow mail to an address again. Whoever unsubscribed still comes back only by themselves."""
    run(_remove(email, is_narrow=newsletter, yes=yes))


async def _remove(email: str, *, is_narrow: bool, yes: bool) -> None:
    from dispatcher.cli import show
    from dispatcher.errors import StoreError
    from dispatcher.pipeline.entries import address
    from dispatcher.store import suppressions
    from dispatcher.store.keys import address_hash

    async with context() as ctx:
        hashed = address_hash(ctx.address_key, address(email))
        letter = ctx.newsletter.id if is_narrow else None
        async with ctx.store.read() as tx:
            found = (await suppressions.of(tx, [hashed])).get(hashed, [])
        reasons = [one.reason.value for one in found if letter in (None, one.newsletter_id)]
        if not reasons:
            raise StoreError(f"{email} is not suppressed; `dispatcher suppressions list` shows who is")
        show.confirm(f"Allow mail to {email} again ({', '.join(reasons)})?", yes=yes)
        async with ctx.store.write() as tx:
            await suppressions.remove(tx, hashed, newsletter_id=letter)
    show.say(f"{email} may be written to again")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, or an address in every line. - is a pipe.")],
    reason: Reason = Why.OPERATOR,
    newsletter: Narrow = False,
    report: Report = None,
    json: Json = False,
) -> None:
    """Suppress everybody on a list, and end what waits for them. Bad lines are reported; the exit code is then 1."""
    is_clean = run(_import(file, reason, report, is_narrow=newsletter, json=json))
    raise typer.Exit(0 if is_clean else 1)


async def _import(path: Path, why: Why, report: Path | None, *, is_narrow: bool, json: bool) -> bool:
    from dataclasses import asdict

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.model.values import SuppressionReason
    from dispatcher.pipeline import blocklist, sheet

    with sheet.opened(path) as file, left_out(path, report, json=json) as on_bad:
        rows = blocklist.rows(file)
        for hint in rows.notes:
            show.note(f"{path}: {hint}")
        async with context() as ctx:
            with show.progress(f"importing {path}", file.size, quiet=json) as advance:
                done = await blocklist.take_in(
                    ctx, rows, clock.now(), reason=SuppressionReason(why), is_narrow=is_narrow, on_bad=on_bad,
                    on_progress=lambda: advance(file.position),
                )  # fmt: skip
        on_bad.finish()
    if json:
        show.as_json({**asdict(done), "lines": on_bad.lines})
    else:
        show.say(f"{done.read} addresses read: {done.added} suppressed, {done.unchanged} were already, {done.bad} bad; "
                 f"{done.ended} waiting messages ended")  # fmt: skip
    return not done.bad


@app.command("export")
def export_file(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Standard output by default.")] = None,
) -> None:
    """Write everybody as CSV that `import` reads back; who was erased, as a hash that only this database knows."""
    run(_export(file))


async def _export(path: Path | None) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline import blocklist, sheet

    async with context() as ctx:
        if path is None:
            await blocklist.write_out(ctx, sys.stdout)
            return
        with sheet.replaced(path) as file:
            count = await blocklist.write_out(ctx, file)
    show.say(f"wrote {count} suppressions to {path}")
