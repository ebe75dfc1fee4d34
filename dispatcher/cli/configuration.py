"""`config`: what is in force, and whether it holds."""

from __future__ import annotations

import typer

from dispatcher.cli.session import load, need_config

app = typer.Typer(name="config", help="What is in force, and whether it holds.", no_args_is_help=True)


@app.command("show")
def show_settings() -> None:
    """Every setting in force and where it comes from; secrets masked."""
    from dispatcher import config

    print(config.show(load()), end="")


@app.command()
def check() -> None:
    """Check everything at once: keys, values, zones, queries, cadences, templates."""
    from dispatcher.cli import show
    from dispatcher.pipeline.context import open_templates

    settings = load()
    need_config(settings)
    open_templates(settings)
    counts = f"{len(settings.sources)} sources, {len(settings.topics)} topics, {len(settings.subscribers)} subscribers"
    show.say(f"{settings.file}: fine ({counts})")
