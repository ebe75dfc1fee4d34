"""What several commands have in common on their command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from typer.core import TyperGroup

EARLIEST, LATEST = 1970, 2199  # years in which every zone can be reckoned with
ALONE = "Without a command it is the list."
DIGITS = 19  # fewer than these fit into a database's integer


class Listing(TyperGroup):
    """A group of commands whose bare name is its `list`: `sources --json` is `sources list --json`."""

    bare = "list"

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put in the command that was left out."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [self.bare, *args]
        return super().parse_args(ctx, args)


def instant(text: str) -> datetime:
    """The instant that ISO 8601 text names, aware UTC. A usage error if it names none."""
    from dispatcher import clock

    try:
        moment = clock.parse(text)
    except (ValueError, OverflowError):
        example = "write it like 2026-03-01T07:31 (UTC) or 2026-03-01T07:31+01:00"
        raise typer.BadParameter(f"{text!r} is not a time; {example}") from None
    if not EARLIEST <= moment.year <= LATEST:
        raise typer.BadParameter(f"{text!r} is not between the years {EARLIEST} and {LATEST}")
    return moment


def count(text: str | int) -> int:
    """A whole number from 1 on. A usage error if it is none."""
    text = str(text)  # a default is a number already
    if not (text.isascii() and text.isdigit() and len(text) < DIGITS and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is not a whole number from 1 on")
    return int(text)


At = Annotated[
    datetime | None, typer.Option("--at", metavar="TIME", parser=instant, help="As if it were this time (ISO 8601).")
]
Id = Annotated[int, typer.Argument(metavar="ID", parser=count)]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", parser=count, help="At most so many.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=0, max=64, help="Send with so many processes."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
