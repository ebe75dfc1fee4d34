"""The command line, thin: every command opens a context, calls a step or the store, and shows what came back.

Nothing heavy is imported until a command runs, so that `dispatcher --help` is there at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit. An error that a user can act on is one message, never a traceback (but for --debug)."""
    from dispatcher.cli.app import app
    from dispatcher.cli.session import Session
    from dispatcher.cli.trouble import explain

    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - closed by our caller, and needed to the end
    sys.stderr = sys.stderr or sys.stdout
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter must not stop a listing
    try:
        app(arguments, prog_name="dispatcher")
        code: object = 0
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        code = explain(error, debug=Session.debug)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again on its way out
        if not isinstance(error, BrokenPipeError):  # `| head` has had enough, which is no error; a full disk is one
            code = explain(error)
    raise SystemExit(code)
