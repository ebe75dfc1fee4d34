"""The command line, thin: every command opens a context, calls a step or the store, and shows what came back.

Nothing heavy is imported until a command runs, so that `dispatcher --help` is there at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit. An error that a user can act on is one message, never a traceback (but for --debug)."""
    from dispatcher.cli.app import app
    from dispatcher.cli.session import Session
    from dispatcher.cli.trouble import explain

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter must not stop a listing
    try:
        sys.exit(app(arguments, prog_name="dispatcher"))
    except SystemExit:
        raise
    except BaseException as error:
        sys.exit(explain(error, debug=Session.debug))
