"""`config`: what is in force, and whether it holds."""

from __future__ import annotations

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import load, load_file

app = typer.Typer(name="config", help="What is in force, and whether it holds.", no_args_is_help=True)


@app.command("show")
def show_settings(json: Json = False) -> None:
    """Every setting in force and where it was set; secrets masked."""
    from dispatcher import config
    from dispatcher.cli import show

    text = config.show(load())
    if json:
        import tomllib

        show.as_json(tomllib.loads(text))
    else:
        show.say(text.rstrip("\n"))


@app.command()
def check(json: Json = False) -> None:
    """Check everything at once: keys, values, zones, queries, cadences, templates, DKIM keys."""
    from dispatcher.cli import show
    from dispatcher.config import look
    from dispatcher.pipeline.preview import try_templates
    from dispatcher.pipeline.signing import Signer

    settings = load_file()
    Signer.of(settings)
    try_templates(settings)
    counts = {name: len(getattr(settings, name)) for name in ("sources", "topics", "subscribers")}
    warnings = look.warnings(settings.theme, [entry.theme for entry in settings.newsletters])
    for warning in warnings:
        show.note(f"{settings.file}: {warning}")
    if json:
        show.as_json({"file": str(settings.file), **counts, "warnings": warnings})
    else:
        show.say(f"{settings.file}: fine ({', '.join(f'{count} {name}' for name, count in counts.items())})")
