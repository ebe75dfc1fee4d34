"""Errors as a person sees them: what is wrong, where, what to do; exit 2 for usage, 3 for config, 1 for the rest."""

from __future__ import annotations

import sys

from dispatcher.errors import ConfigError, DispatcherError, QueryError

BUG = "This is a bug in dispatcher: please report it with what `dispatcher --debug …` shows."


class UsageError(DispatcherError):
    """The command cannot be carried out as it was given."""

    exit_code = 2


def explain(error: BaseException, *, debug: bool = False) -> int:
    """Print an error on standard error and return the exit code it stands for."""
    if debug and not isinstance(error, KeyboardInterrupt):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return 130
    text, code = _words(error)
    print(f"Error: {text}", file=sys.stderr)
    return code


def _words(error: BaseException) -> tuple[str, int]:
    match error:
        case ConfigError():
            return _listed(error), error.exit_code
        case QueryError():
            return error.with_caret(), error.exit_code
        case DispatcherError():
            return str(error), error.exit_code
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 1
        case _:
            return f"{type(error).__name__}: {error}\n{BUG}", 1


def _listed(error: ConfigError) -> str:
    if len(error.problems) == 1:
        return str(error.problems[0])
    return "\n".join([f"{len(error.problems)} mistakes in the configuration", *(f"  {one}" for one in error.problems)])
