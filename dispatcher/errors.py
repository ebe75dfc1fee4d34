"""The error tree: every error a user can cause or meet, and nothing else.

    DispatcherError
    ├── ConfigError       a setting is wrong; carries every problem found, not the first
    ├── SourceError       a feed or folder could not be read or understood
    ├── QueryError        a topic's query could not be parsed; carries line and column
    ├── CadenceError      a cadence such as "daily at 07:30" could not be understood
    ├── TemplateError     a template is broken; carries file and line
    ├── TransportError    a relay cannot be used at all (an expected refusal is an Outcome)
    ├── FeedbackError     a bounce or complaint could not be understood
    ├── StoreError        the database is missing, newer than us, locked or full
    │   └── BusyError     a running daemon holds this database
    ├── ListenError       the web pages cannot be served where config says
    └── TokenError        a signed link is forged, expired or meant for something else

The message is for the person who can act: what is wrong, where, and what to do about it.
An expected failure of the outside world (a dead feed, a refused recipient) is a value, not an error.
"""

from __future__ import annotations

from dataclasses import dataclass


class DispatcherError(Exception):
    """Anything a user can act upon. `subject` names the row or file it is about, if there is one."""

    exit_code = 1

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.subject = subject


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration: the file, the key's path, what is wrong and what to do."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message}" if self.key else f"{self.file}: {self.message}"


class ConfigError(DispatcherError):
    """The configuration cannot be used. `problems` holds all of it, in the order of the file."""

    exit_code = 3

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class SourceError(DispatcherError):
    """A source cannot be read or understood."""


class QueryError(DispatcherError):
    """A query cannot be parsed. `line` and `column` count from 1; `expected` says what would have done."""

    def __init__(self, message: str, *, text: str, line: int, column: int, expected: str = "") -> None:
        self.text, self.line, self.column, self.expected = text, line, column, expected
        self.reason = message
        where = f"line {line}, column {column}"
        wanted = f"; expected {expected}" if expected else ""
        super().__init__(f"{where}: {message}{wanted}")

    def with_caret(self) -> str:
        """The message with the offending line and a caret beneath the place."""
        lines = self.text.splitlines() or [""]
        shown = lines[min(self.line, len(lines)) - 1]
        return f"{self}\n  {shown}\n  {' ' * (self.column - 1)}^"


class CadenceError(DispatcherError):
    """A cadence cannot be understood; the message shows a valid one."""


class TemplateError(DispatcherError):
    """A template cannot be compiled or rendered; the message names file and line.

    `files` are those that it passed through, the innermost first.
    """

    def __init__(self, message: str, *, subject: str | None = None, files: tuple[str, ...] = ()) -> None:
        super().__init__(message, subject=subject)
        self.files = files


class TransportError(DispatcherError):
    """A transport cannot be used at all, for instance because its password is wrong."""


class FeedbackError(DispatcherError):
    """A bounce or complaint cannot be understood."""


class StoreError(DispatcherError):
    """The database cannot be used."""


class BusyError(StoreError):
    """A running daemon holds the database that a command wants for itself."""


class ListenError(DispatcherError):
    """The address of `[web] listen` cannot be listened on: in use, or not ours."""


class TokenError(DispatcherError):
    """A signed link does not verify."""
