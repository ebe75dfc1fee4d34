"""How results look: tables for people, JSON for programs, progress in a terminal and silence in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

ENDLESS = 100_000  # columns of a pipe: nothing is wrapped or cut


def say(text: str | Text) -> None:
    """A result, or a word about one, on standard output."""
    _print(text if isinstance(text, Text) else Text(printable(text, lines=True)))


def note(text: str) -> None:
    """A hint or a warning, on standard error: it must not get into what a pipe carries."""
    print(printable(text, lines=True), file=sys.stderr)


def as_json(value: Any) -> None:
    """A result for programs: dataclasses, nouns, instants and enumerations included."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing yet") -> None:
    """A titled table, or a line that says that there is nothing and what to do about it. Empty columns are left out."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if not cells:
        say(Text.assemble((printable(title), "bold"), f": {empty}"))
        return
    shown = [number for number in range(len(columns)) if any(row[number].plain for row in cells)]
    made = _grid()
    made.show_header = True
    for number in shown:
        is_number = all(row[number].plain.isdigit() for row in cells)
        made.add_column(columns[number], overflow="fold", justify="right" if is_number else "left")
    for row in cells:
        made.add_row(*(row[number] for number in shown))
    say(Text(printable(title), "bold"))
    _print(made)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Named values, one a line."""
    made = _grid()
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        made.add_row(name.replace("_", " "), _cell(value))
    say(Text(printable(title), "bold"))
    _print(made)


def printable(text: str, *, lines: bool = False) -> str:
    """Text from outside with nothing in it that moves a terminal's cursor or changes its colours."""
    kept = "\n\t" if lines else ""
    return "".join(c if c.isprintable() or c in kept else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextmanager
def progress(text: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show on a terminal that work is under way; the function that is given tells how far it has come."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    more = (BarColumn(), TimeRemainingColumn()) if total else (TimeElapsedColumn(),)
    with Progress(*columns, *more, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; `--yes` answers. Ends the command if the answer is no."""
    import typer

    from dispatcher.cli.trouble import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is here to answer: add --yes.")
    if not typer.confirm(printable(question), err=True):
        raise typer.Exit(1)


def _grid() -> Table:
    return Table(box=None, header_style="dim", pad_edge=False, show_header=False)


def _print(thing: RenderableType) -> None:
    if sys.stdout.isatty():
        Console(highlight=False).print(thing)
        return
    console = Console(width=ENDLESS, highlight=False)
    with console.capture() as caught:
        console.print(thing, soft_wrap=isinstance(thing, Text))
    print("\n".join(line.rstrip() for line in caught.get().splitlines()))


def _cell(value: Any) -> Text:
    match value:
        case Text():
            return value
        case None | "":
            return Text()
        case datetime():
            return Text(f"{value.astimezone(UTC):%Y-%m-%d %H:%M}Z")
        case bool():
            return Text("yes" if value else "no")
        case list() | tuple():
            return Text(printable(", ".join(map(str, value))))
        case dict():
            return Text(printable(", ".join(f"{name}: {inner}" for name, inner in value.items())))
        case _:
            return Text(printable(str(value)))


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
