"""`subscribers import` and `export`: readers as a CSV file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import context, run


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command("import")(import_file)
    app.command("export")(export_file)


def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV: email, name, timezone, locale, topics, cadence. - is a pipe."),
    ],
    json: Json = False,
) -> None:
    """Add everybody in a CSV file, active at once. Bad lines are reported and left out; the exit code is then 1."""
    is_clean = run(_import(file, json=json))
    raise typer.Exit(0 if is_clean else 1)


async def _import(path: Path, *, json: bool) -> bool:
    from dataclasses import asdict

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import roster, sheet

    refused: list[dict[str, object]] = []

    def on_bad(number: int, reason: str) -> None:
        if json:
            refused.append({"line": number, "reason": reason})
        else:
            show.note(f"{path}: line {number}: {reason}")

    with sheet.opened(path) as file:
        rows = sheet.Rows(file, known=roster.COLUMNS, ignored=roster.IGNORED)
        for hint in rows.notes:
            show.note(f"{path}: {hint}")
        async with context() as ctx:
            with show.progress(f"importing {path}", file.size, quiet=json) as advance:
                report = await roster.take_in(
                    ctx, rows, clock.now(), on_bad=on_bad, on_progress=lambda: advance(file.position)
                )
    if json:
        show.as_json({**asdict(report), "lines": refused})
    else:
        show.say(f"{report.read} people read: {report.created} added, {report.updated} updated, "
                 f"{report.unchanged} unchanged, {report.bad} bad")  # fmt: skip
    return not report.bad


def export_file(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Standard output by default.")] = None,
) -> None:
    """Write everybody as CSV that `import` reads back."""
    run(_export(file))


async def _export(path: Path | None) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline import roster, sheet

    async with context() as ctx:
        if path is None:
            await roster.write_out(ctx, sys.stdout)
            return
        with sheet.replaced(path) as file:
            count = await roster.write_out(ctx, file)
    show.say(f"wrote {count} people to {path}")
