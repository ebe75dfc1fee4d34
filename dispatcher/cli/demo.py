"""`demo`: the whole chain on one screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="One full cycle, then exit.")] = False,
    port: Annotated[int, typer.Option(help="Where the inbox page listens.")] = 8025,
    out: Annotated[Path, typer.Option(help="Where --once writes the mails.")] = Path("demo-output"),
) -> None:
    """Feeds, readers, a real daemon, a real SMTP server and an inbox to watch, all made up and all on this machine."""
    from dispatcher.cli import show
    from dispatcher.cli.session import run
    from dispatcher.demo.run import run as run_demo

    run(run_demo(once=once or not sys.stdout.isatty(), port=port, out=out, say=show.say))
