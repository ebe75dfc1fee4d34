"""`operators`: who may use the admin pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import ALONE, Json, Listing, Yes
from dispatcher.cli.session import context, run, store

if TYPE_CHECKING:
    from dispatcher.model.access import Operator

app = typer.Typer(name="operators", cls=Listing, help="Who may use the admin pages.", epilog=ALONE)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What they sign in with.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Its first line; else it is asked for.")
]
NoPassword = Annotated[bool, typer.Option("--no-password", help="One-time links are the only way in.")]


@app.command("list")
def listing(json: Json = False) -> None:
    """List operators with their roles and when they were last here."""
    run(_listing(json=json))


async def _listing(*, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.store import operators

    async with store() as opened, opened.read() as tx:
        found = await operators.every(tx)
        visits = {one.id: await operators.visits(tx, one.id or 0, clock.now()) for one in found}
    rows = [{**_shown(one), "visits": [visit.seen_at for visit in visits[one.id]]} for one in found]
    if json:
        show.as_json(rows)
        return
    show.table(
        "operators",
        ("name", "role", "signs in by", "active", "signed in", "last seen"),
        [(r["name"], r["role"], "password or link" if r["has_password"] else "link", r["is_active"], len(r["visits"]),
          next(iter(r["visits"]), None)) for r in rows],
        empty="nobody yet; add yourself with `dispatcher operators add NAME --role owner`",
    )  # fmt: skip


def _shown(operator: Operator) -> dict[str, Any]:
    """An operator without the hash."""
    from dispatcher.cli import show

    return {**show.fields(operator, "password"), "has_password": bool(operator.password)}


@app.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(metavar="ROLE", help="owner, editor or viewer.")] = "viewer",
    password_file: PasswordFile = None,
    no_password: NoPassword = False,
) -> None:
    """Add an operator. An owner may do everything, an editor all but operators and erasing, a viewer looks."""
    run(_add(name, role, password_file, no_password=no_password))


async def _add(name: str, role: str, file: Path | None, *, no_password: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.cli.trouble import UsageError
    from dispatcher.model.values import Role
    from dispatcher.pipeline import audit, operators

    if role not in set(Role):
        raise UsageError(f"{role!r} is no role; there are {', '.join(Role)}")
    password = "" if no_password else _password(file)
    now = clock.now()
    made = await operators.make(name, Role(role), password, now)
    async with context() as ctx, ctx.store.write() as tx:
        await operators.insert(tx, made)
        await audit.note(tx, "cli", "add operator", made.name, now, role=role)
    show.say(f"added {made.name}, {made.role.value}")
    show.note(f"sign in at /admin, or by what `dispatcher operators link {made.name}` prints")


@app.command()
def password(name: Name, password_file: PasswordFile = None, no_password: NoPassword = False) -> None:
    """Give an operator a new password. They are signed out everywhere."""
    run(_change_password(name, password_file, no_password=no_password))


async def _change_password(name: str, file: Path | None, *, no_password: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, operators, passwords

    stored = "" if no_password else await passwords.hashed(_password(file))
    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        found = await operators.find(tx, name)
        await operators.change_password(tx, found, stored)
        await audit.note(tx, "cli", "change password", found.name, now)
    show.say(f"changed; {found.name} is signed out everywhere")


@app.command()
def link(name: Name) -> None:
    """Print an address that signs an operator in once, within ten minutes."""
    run(_link(name))


async def _link(name: str) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, operators

    now = clock.now()
    async with context() as ctx, ctx.store.write() as tx:
        found = await operators.find(tx, name)
        if not found.is_active:
            raise operators.OperatorError(f"{found.name} is disabled; an owner lets them in at /admin/operators")
        address = operators.link(ctx, found, now)
        await audit.note(tx, "cli", "make sign-in link", found.name, now)
    show.say(address)
    show.note("good once, for ten minutes; whoever has it is this operator")


@app.command()
def remove(name: Name, yes: Yes = False) -> None:
    """Remove an operator and sign them out. What they did stays in the audit log."""
    run(_remove(name, yes=yes))


async def _remove(name: str, *, yes: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import audit, operators

    async with context() as ctx:
        async with ctx.store.read() as tx:
            found = await operators.find(tx, name)
        show.confirm(f"Remove the operator {found.name}?", yes=yes)
        now = clock.now()
        async with ctx.store.write() as tx:
            await operators.remove(tx, found)
            await audit.note(tx, "cli", "remove operator", found.name, now)
    show.say(f"removed {found.name}")


def _password(file: Path | None) -> str:
    """A password from the first line of a file, or typed twice."""
    import sys

    from dispatcher.cli.trouble import UsageError

    if file is not None:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise UsageError("nobody is here to type a password: add --password-file FILE, or --no-password")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
