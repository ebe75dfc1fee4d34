"""How results look: tables for people, JSON for programs, progress in a terminal and silence in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def console() -> Console:
    """Standard output; wide enough in a pipe that nothing is cut."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def say(text: str) -> None:
    """One line for the person at the terminal; `text` may use rich's markup."""
    console().print(text, soft_wrap=True)


def as_json(value: Any) -> None:
    """A result for programs: dataclasses, nouns, instants and enumerations included."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing yet") -> None:
    """A titled table, or a line that says that there is nothing and what to do about it."""
    shown = [[_cell(cell) for cell in row] for row in rows]
    if not shown:
        say(f"[bold]{title}[/]: {empty}")
        return
    made = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in shown:
        made.add_row(*row)
    console().print(made)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Named values, one a line."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        made.add_row(name, _cell(value))
    console().print(made)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "[dim]–[/]"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return escape(", ".join(map(str, value)))
    return escape(str(value))


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; `--yes` answers. Ends the command if the answer is no."""
    import typer

    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Nobody is here to answer: add --yes.")
    if not typer.confirm(question):
        raise typer.Exit(1)
