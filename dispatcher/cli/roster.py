"""`subscribers import` and `export`: readers as CSV or JSON Lines."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.leftout import Report, left_out
from dispatcher.cli.options import Json
from dispatcher.cli.session import context, run

if TYPE_CHECKING:
    from dispatcher.pipeline.lines import Lines
    from dispatcher.pipeline.sheet import Input, Rows


class Form(StrEnum):
    """How a file of readers is written."""

    CSV = "csv"
    JSONL = "jsonl"


Format = Annotated[Form | None, typer.Option("--format", help="By default as the file is called: .jsonl, or CSV.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command("import")(import_file)
    app.command("export")(export_file)


def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="email, name, timezone, locale, topics, cadence. - is a pipe."),
    ],
    form: Format = None,
    report: Report = None,
    json: Json = False,
) -> None:
    """Add everybody in a file, active at once. Bad lines are reported and left out; the exit code is then 1."""
    is_clean = run(_import(file, form or _form(file), report, json=json))
    raise typer.Exit(0 if is_clean else 1)


def _form(path: Path | None) -> Form:
    from dispatcher.pipeline.lines import SUFFIXES

    return Form.JSONL if path is not None and path.suffix.lower() in SUFFIXES else Form.CSV


async def _import(path: Path, form: Form, report: Path | None, *, json: bool) -> bool:
    from dataclasses import asdict

    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline import roster, sheet

    with sheet.opened(path) as file, left_out(path, report, json=json) as on_bad:
        rows = _rows(file, form)
        told = rows.notes
        for hint in told:
            show.note(f"{path}: {hint}")
        async with context() as ctx:
            with show.progress(f"importing {path}", file.size, quiet=json) as advance:
                done = await roster.take_in(
                    ctx, rows, clock.now(), on_bad=on_bad, on_progress=lambda: advance(file.position)
                )
        for hint in rows.notes[len(told) :]:
            show.note(f"{path}: {hint}")
        on_bad.finish()
    if json:
        show.as_json({**asdict(done), "lines": on_bad.lines})
    else:
        show.say(f"{done.read} people read: {done.created} added, {done.updated} updated, "
                 f"{done.unchanged} unchanged, {done.bad} bad")  # fmt: skip
    return not done.bad


def _rows(file: Input, form: Form) -> Rows | Lines:
    from dispatcher.pipeline import lines, roster, sheet

    kind = lines.Lines if form is Form.JSONL else sheet.Rows
    return kind(file, known=roster.COLUMNS, ignored=roster.IGNORED)


def export_file(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Standard output by default.")] = None,
    form: Format = None,
) -> None:
    """Write everybody so that `import` reads them back. JSON Lines hold the proof of their consent as well."""
    run(_export(file, form or _form(file)))


async def _export(path: Path | None, form: Form) -> None:
    from dispatcher.cli import show
    from dispatcher.pipeline import roster, sheet

    async with context() as ctx:
        if path is None:
            await roster.write_out(ctx, sys.stdout, as_lines=form is Form.JSONL)
            return
        with sheet.replaced(path) as file:
            count = await roster.write_out(ctx, file, as_lines=form is Form.JSONL)
    show.say(f"wrote {count} people to {path}")
