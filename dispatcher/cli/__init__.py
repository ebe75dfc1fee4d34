"""The command line, thin: every command opens a context, calls a step or the store, and shows what came back.

Nothing heavy is imported until a command runs, so that `dispatcher --help` is there at once.
"""

from __future__ import annotations

import sys

from dispatcher.cli.session import Session

__all__ = ["main"]


def main() -> None:
    """Run one command. Errors a user can act on are one message, never a traceback (`--debug` shows it)."""
    from dispatcher.cli.app import app
    from dispatcher.cli.trouble import explain

    try:
        app()
    except SystemExit:
        raise
    except BaseException as error:
        sys.exit(explain(error, debug=Session.debug))
