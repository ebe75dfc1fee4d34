"""JSON Lines: one object a line, read as a stream into the rows of a sheet, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from dispatcher.config.nearest import did_you_mean
from dispatcher.pipeline.sheet import LONGEST, Input, Row

SUFFIXES = (".jsonl", ".ndjson")
_REMARKS = 20  # names that are not read and are mentioned: a hostile file has a new one in every line
_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


class Lines:
    """The rows of a file of JSON Lines, read as they are asked for; empty lines are passed over.

    `notes` are remarks about names, made as they are met with.
    """

    def __init__(self, file: Input, *, known: Sequence[str], ignored: Sequence[str] = ()) -> None:
        self._text, self._known, self._ignored = file.text, known, ignored
        self._unread: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said about the names so far."""
        return tuple(self._unread.values())

    def __iter__(self) -> Iterator[Row]:
        number = 0
        while line := self._text.readline(LONGEST):
            number += 1
            is_whole = len(line) < LONGEST or line.endswith(("\n", "\r"))
            if not is_whole:
                self._skip_line()
                yield Row(number, {}, f"the line is longer than {LONGEST:,} characters")
            elif line.strip():
                yield self._row(number, line)

    def _skip_line(self) -> None:
        while (rest := self._text.readline(LONGEST)) and not rest.endswith(("\n", "\r")):
            pass

    def _row(self, number: int, line: str) -> Row:
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            return Row(number, {}, f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}, column {error.colno}")
        except (ValueError, RecursionError):
            return Row(number, {}, "this holds a number or a nesting that nobody could mean")
        if not isinstance(found, dict):
            return Row(number, {}, 'expected an object, such as {"email": "ann@reader.example"}')
        try:
            return Row(number, self._cells(found))
        except ValueError as error:
            return Row(number, {}, str(error))

    def _cells(self, found: Mapping[str, Any]) -> dict[str, str]:
        cells = {}
        for key, value in found.items():
            name = key if key in self._known else " ".join(key.split()).lower()
            if name in self._known:
                cells[name] = _topics(value) if name == "topics" else _text(name, value)
            elif name not in self._ignored and len(self._unread) < _REMARKS:
                self._unread[name] = f'"{name[:60]}" is not read{did_you_mean(name, self._known)}'
        return cells


def _text(name: str, value: Any) -> str:
    """A value as the text of a cell. ValueError if it is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected text, not {_KINDS[type(value)]}")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name}: this is half of a character")  # as JSON can write it, and nothing can store it
    return value.strip()


def _topics(value: Any) -> str:
    """Topics, as text or as a list of texts and of objects with `topic` and `cadence`, as they stand in a cell."""
    if not isinstance(value, list):
        return _text("topics", value)
    return "; ".join(filter(None, map(_topic, value)))


def _topic(value: Any) -> str:
    if not isinstance(value, dict):
        return _text("topics", value)
    unknown = [key for key in value if key not in ("topic", "cadence")]
    if unknown or "topic" not in value:
        raise ValueError('topics: expected such as {"topic": "energy", "cadence": "instant"}')
    topic, cadence = _text("topics", value["topic"]), _text("topics", value.get("cadence"))
    return f"{topic} = {cadence}" if cadence else topic


def write(file: IO[str], found: Mapping[str, Any]) -> None:
    """Write one object as a line, in ASCII: no encoding on the way can damage it."""
    file.write(json.dumps(found, separators=(",", ":")) + "\n")
