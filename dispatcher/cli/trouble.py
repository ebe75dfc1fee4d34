"""Errors as a person sees them: what is wrong, where, what to do; exit 2 for usage, 3 for configuration, 1 for the rest."""

from __future__ import annotations

import sys

from dispatcher.errors import ConfigError, DispatcherError, QueryError

BUG = "this is a bug in dispatcher; run again with --debug for the traceback, and please report it"


def explain(error: BaseException, *, debug: bool = False) -> int:
    """Print an error on standard error and return the exit code it stands for."""
    if debug and not isinstance(error, KeyboardInterrupt):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, BrokenPipeError):
        return 0
    text, code = _words(error)
    print(text, file=sys.stderr)
    return code


def _words(error: BaseException) -> tuple[str, int]:
    if isinstance(error, ConfigError):
        count = len(error.problems)
        head = "configuration: one problem" if count == 1 else f"configuration: {count} problems"
        return "\n".join([head, *(f"  {problem}" for problem in error.problems)]), error.exit_code
    if isinstance(error, QueryError):
        return f"error: {error.with_caret()}", error.exit_code
    if isinstance(error, DispatcherError):
        return f"error: {error}", error.exit_code
    if isinstance(error, OSError) and error.filename:
        return f"error: {error.filename}: {error.strerror}", 1
    return f"error: {type(error).__name__}: {error}\n{BUG}", 1
