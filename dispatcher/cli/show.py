"""How results look: tables for people, JSON for programs, progress in a terminal and silence in a pipe."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

SHORT = 17  # columns of a terminal that a cell takes without being wrapped, however narrow the terminal
ENDLESS = 100_000  # columns of a pipe: nothing is wrapped or cut
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # the last two turn text around


def is_terminal() -> bool:
    """Whether somebody is looking, rather than a program."""
    return sys.stdout.isatty()


def say(text: str | Text) -> None:
    """A result, or a word about one, on standard output."""
    _print(text if isinstance(text, Text) else Text(printable(text, lines=True)))


def note(text: str) -> None:
    """A hint or a warning, on standard error: it must not get into what a pipe carries."""
    sys.stdout.flush()  # what was said before must stand before it
    print(printable(text, lines=True), file=sys.stderr)


def as_json(value: Any) -> None:
    """A result for programs: dataclasses, nouns, instants and enumerations included."""
    is_plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, default=_plain, ensure_ascii=is_plain, indent=2))


def fields(noun: Any, *left_out: str) -> dict[str, Any]:
    """What a noun holds, in the order in which its class names it."""
    return {name: getattr(noun, name) for name in type(noun).model_fields if name not in left_out}


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
        column = [row[number] for row in cells]
        is_number = all(cell.plain.isdigit() for cell in column)
        is_short = max(cell.cell_len for cell in column) <= SHORT
        made.add_column(columns[number], justify="right" if is_number else "left", no_wrap=is_short, overflow="fold")
    for row in cells:
        made.add_row(*(row[number] for number in shown))
    say(Text(printable(title), "bold"))
    _print(made)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Named values, one a line; empty ones are left out."""
    made = _grid()
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if (cell := _cell(value)).plain:
            made.add_row(name.replace("_", " "), cell)
    say(Text(printable(title), "bold"))
    _print(made)


def printable(text: str, *, lines: bool = False) -> str:
    """Text from outside with nothing in it that moves a terminal's cursor or changes its colours."""
    text = text.replace("\r\n", "\n") if lines else " ".join(text.split())
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


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
    if is_terminal():
        Console(highlight=False).print(thing, soft_wrap=isinstance(thing, Text))
        return
    console = Console(width=ENDLESS, highlight=False)
    with console.capture() as caught:
        console.print(thing)
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
        return fields(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
