"""`tokens`: which programs may use the API, and for what."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli.options import ALONE, Json, Listing, Yes
from dispatcher.cli.session import context, run

app = typer.Typer(name="tokens", cls=Listing, help="Which programs may use the API, and for what.", epilog=ALONE)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, hyphens.")]


@app.command("list")
def listing(json: Json = False) -> None:
    """List tokens by name. The tokens themselves are not kept."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.access import standing
    from dispatcher.store import access

    now = clock.now()
    async with context() as ctx, ctx.store.read() as tx:
        found = await access.tokens(tx)
    if json:
        show.as_json([{**show.fields(token, "token_hash"), "status": standing(token, now)} for token in found])
        return
    show.table(
        "tokens",
        ("name", "status", "scopes", "created", "used", "expires"),
        [(t.name, standing(t, now), t.scopes, t.created_at, t.used_at, t.expires_at) for t in found],
        empty="none yet; `dispatcher tokens add NAME --scope articles:write` makes one",
    )


@app.command()
def add(
    name: Name,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="Such as articles:write; may be repeated; * is all.")
    ] = None,
    expires: Annotated[str, typer.Option(metavar="DURATION", help="Good for so long, such as 90d.")] = "",
) -> None:
    """Make a token and print it. It is shown this once and never again."""
    run(_add(name, scope or [], expires))


async def _add(name: str, scopes: list[str], expires: str) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.cli.trouble import UsageError
    from dispatcher.config import durations
    from dispatcher.pipeline.access import issue

    now = clock.now()
    try:
        expires_at = now + durations.parse(expires) if expires else None
    except ValueError as error:
        raise UsageError(f"--expires: {error}") from None
    if expires_at == now:
        raise UsageError("--expires: such a token would never open anything")
    async with context() as ctx, ctx.store.write() as tx:
        token = await issue(tx, name, scopes, now, actor="cli", expires_at=expires_at)
    print(token)
    show.note("keep it in a safe place: it cannot be shown again. `dispatcher tokens revoke` closes it.")


@app.command()
def revoke(name: Name, yes: Yes = False) -> None:
    """Close a token for ever, effective at once."""
    run(_revoke(name, yes=yes))


async def _revoke(name: str, *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import access

    show.confirm(f"Revoke {name}? Programs that use it are locked out.", yes=yes)
    async with context() as ctx, ctx.store.write() as tx:
        await access.revoke(tx, name, clock.now(), actor="cli")
    show.say(f"revoked {name}")
