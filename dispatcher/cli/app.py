"""All commands, in the order a newcomer needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import (
    articles,
    configuration,
    database,
    deliveries,
    demo,
    dkim,
    editions,
    initialise,
    newsletters,
    operators,
    preview,
    roster,
    send,
    sources,
    status,
    steps,
    subscribers,
    suppressions,
    templates,
    tokens,
    topics,
    webhooks,
)
from dispatcher.cli.session import Session

app = typer.Typer(
    name="dispatcher",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich draws our tables; for help its import would take longer than all the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dispatcher import __version__

        print(f"dispatcher {__version__}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration; else ./config/dispatcher.toml.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the logs of every detail.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Feeds in, personal digests out: a newsletter and notification dispatcher."""
    Session.config, Session.debug = config, debug


for module in (initialise, steps, demo, preview, status, newsletters):
    module.register(app)
roster.register(subscribers.app)
for group in (
    send, sources, topics, subscribers, suppressions, articles, deliveries,
    editions, webhooks, tokens, operators, dkim, templates, configuration, database,
):  # fmt: skip
    app.add_typer(group.app)
