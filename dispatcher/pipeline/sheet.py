"""A sheet of cells as spreadsheets write it: CSV in any of its dialects, read as a stream, written without formulas.

file ─▶ opened (seekable, UTF-8 or UTF-16 throughout) ─▶ rows (column → cell, each with its line)

`lines` reads JSON Lines into the same rows.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from dispatcher.config.nearest import did_you_mean
from dispatcher.errors import DispatcherError

SEPARATORS = ",;\t"
CHUNK = 1 << 16
LONGEST = 1_000_000
"""Characters of a line: a file whose lines are longer is no list, and would have to be held in memory."""

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # what a spreadsheet would run, or what we write instead


class SheetError(DispatcherError):
    """A file is no sheet that can be read."""


@dataclass(frozen=True, slots=True)
class Input:
    """An open sheet. `size` and `position` are bytes."""

    text: IO[str]
    size: int
    raw: BinaryIO

    @property
    def position(self) -> int:
        """How far the file has been read."""
        return self.raw.tell()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins on, and its cells by column, or what is wrong with it."""

    number: int
    cells: Mapping[str, str]
    fault: str = ""


@contextmanager
def opened(path: Path) -> Iterator[Input]:
    """Open a sheet, `-` being standard input. SheetError, before anything is read from it, if it is not text."""
    with _seekable(path) as raw:
        start = raw.read(4)
        if start.startswith(b"PK\x03\x04"):
            raise SheetError(f"{path}: this is a spreadsheet's own file; save it as CSV (UTF-8)")
        encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        raw.seek(0)
        _check_encoding(raw, encoding, path)
        size = raw.tell()
        raw.seek(0)
        text = io.TextIOWrapper(raw, encoding=encoding, newline="")
        try:
            yield Input(text, size, raw)
        finally:
            text.detach()


@contextmanager
def _seekable(path: Path) -> Iterator[BinaryIO]:
    """The file itself, or a copy of what comes through a pipe."""
    if str(path) != "-":
        with path.open("rb") as file:
            if file.seekable():
                yield file
            else:
                yield from _copy(file)
    elif sys.stdin.buffer.seekable():
        yield sys.stdin.buffer
    else:
        yield from _copy(sys.stdin.buffer)


def _copy(stream: IO[bytes]) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy


def _check_encoding(raw: BinaryIO, encoding: str, path: Path) -> None:
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    try:
        while chunk := raw.read(CHUNK):
            line += decoder.decode(chunk).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        hint = 'save the file as UTF-8 (spreadsheets call it "CSV UTF-8")'
        raise SheetError(f"{path}: line {line} is not {encoding.removesuffix('-sig').upper()}: {hint}") from None


class Rows:
    """The rows of a sheet whose first line names its columns, read as they are asked for; empty lines are passed over.

    `notes` are remarks about columns. SheetError if the first line does not name the columns, `email` among them.
    """

    def __init__(self, sheet: Input, *, known: Sequence[str], ignored: Sequence[str] = ()) -> None:
        self._records = _records(csv.reader(bounded(sheet.text), delimiter=_separator(sheet.text), strict=True))
        _, header, fault = next(self._records, (1, [], ""))
        self._columns = [" ".join(name.split()).lower() for name in header]
        twice = sorted({name for name in self._columns if name in known and self._columns.count(name) > 1})
        if fault or twice or "email" not in self._columns:
            wrong = fault or (f"the column {twice[0]} is there twice" if twice else _headless(header, known))
            raise SheetError(f"line 1 must name the columns: {wrong}")
        self.notes = tuple(
            f'the column "{name}" is not read{did_you_mean(name, known)}'
            for name in dict.fromkeys(self._columns)
            if name and name not in (*known, *ignored)
        )

    def __iter__(self) -> Iterator[Row]:
        for number, cells, fault in self._records:
            if len(cells) > len(self._columns) and any(cells[len(self._columns) :]):
                fault = f"there are {len(cells)} cells, but line 1 names {len(self._columns)} columns"
            plain = [_unguarded(cell) if cell.startswith("'") else cell for cell in cells]
            yield Row(number, dict(zip(self._columns, plain, strict=False)), fault)


def bounded(text: IO[str]) -> Iterator[str]:
    """The lines of a text. SheetError at one that is too long to be held in memory."""
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        if len(line) == LONGEST and not line.endswith(("\n", "\r")):
            raise SheetError(f"line {number} is longer than {LONGEST:,} characters; nothing from there on was read")
        yield line


def _records(reader: Any) -> Iterator[tuple[int, list[str], str]]:
    """(line it begins on, cells, what is wrong with it) of every record that is not empty."""
    while True:
        number = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            lines = f", which swallowed everything up to line {reader.line_num}" if reader.line_num > number else ""
            yield number, [], f"a quotation mark is out of place{lines}"
            continue
        if any(cells):
            yield number, cells, ""


def _separator(text: IO[str]) -> str:
    """The one of SEPARATORS that stands most often in the first line."""
    first = next((line for line in iter(lambda: text.readline(CHUNK), "") if line.strip()), "")
    text.seek(0)
    return max(SEPARATORS, key=first.count)


def _headless(header: Sequence[str], known: Sequence[str]) -> str:
    if not header:
        return "the file is empty"
    possible = f" (possible are {', '.join(known)})"
    near = did_you_mean("email", header).replace("did you mean", "is it")
    return f"there is no column email{near or possible}"


def write(file: IO[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV in which a spreadsheet finds no formula; `Rows` reads them back as they were."""
    csv.writer(file, lineterminator="\n").writerows([_guarded(str(cell)) for cell in row] for row in rows)


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if _FORMULA.match(cell) else cell


@contextmanager
def replaced(path: Path) -> Iterator[IO[str]]:
    """Write a file that appears when it is complete, readable by its owner alone: it names people."""
    if path.exists() and not path.is_file():  # a terminal, a pipe
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
