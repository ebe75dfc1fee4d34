"""All commands, in the order a newcomer needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.session import Session

app = typer.Typer(
    name="dispatcher",
    help="Feeds in, personal digests out: a newsletter and notification dispatcher.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dispatcher import __version__

        print(f"dispatcher {__version__}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[Path | None, typer.Option(help="The configuration file, else ./config/dispatcher.toml.")] = None,
    debug: Annotated[bool, typer.Option(help="Show tracebacks and debug logs.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Feeds in, personal digests out: a newsletter and notification dispatcher."""
    Session.config, Session.debug = config, debug


from dispatcher.cli import (  # noqa: E402 - each adds its commands to the app above
    articles,
    configuration,
    database,
    deliveries,
    demo,
    initialise,
    preview,
    sources,
    status,
    steps,
    subscribers,
    topics,
)

for module in (initialise, steps, demo, preview, status):
    module.register(app)
for module in (sources, topics, subscribers, articles, deliveries, configuration, database):
    app.add_typer(module.app)
