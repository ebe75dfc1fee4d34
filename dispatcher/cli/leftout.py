"""What a long import leaves out: the first lines on the screen, all of them in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

SHOWN = 20
"""Lines that are told on the screen; a program gets SHOWN_TO_PROGRAMS."""
SHOWN_TO_PROGRAMS = 1_000

Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write every line that is left out, as CSV.")
]


class LeftOut:
    """Told of every line that is left out, it keeps no more than it shows. `kept` is where a report writes them all."""

    def __init__(self, path: Path, report: IO[str] | None, *, kept: Path | None, json: bool) -> None:
        self.lines: list[dict[str, object]] = []
        self.count = 0
        self._path, self._report, self._kept, self._json = path, report, kept, json

    def __call__(self, number: int, reason: str) -> None:
        """Tell of a line, by its number and the reason."""
        from dispatcher.cli import show
        from dispatcher.pipeline import sheet

        self.count += 1
        if self._report is not None:
            sheet.write(self._report, [(number, reason)])
        if self._json and self.count <= SHOWN_TO_PROGRAMS:
            self.lines.append({"line": number, "reason": reason})
        elif not self._json and self.count <= SHOWN:
            show.note(f"{self._path}: line {number}: {reason}")

    def finish(self) -> None:
        """Tell how many were not shown, and where they are to be read."""
        from dispatcher.cli import show

        if not self._json and self.count > SHOWN:
            where = f"{self._kept} has" if self._kept else "--report FILE keeps"
            show.note(f"{self._path}: {self.count - SHOWN:,} more lines were left out; {where} all of them")


@contextmanager
def left_out(path: Path, report: Path | None, *, json: bool) -> Iterator[LeftOut]:
    """Something to be told of every line that is left out. The report appears when the work is done."""
    from dispatcher.pipeline import sheet

    if report is None:
        yield LeftOut(path, None, kept=None, json=json)
        return
    with sheet.replaced(report) as file:
        sheet.write(file, [("line", "reason")])
        yield LeftOut(path, file, kept=report, json=json)
