"""`init`: a folder in which `run` works."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("init")(initialise)


def initialise(
    folder: Annotated[Path, typer.Argument(help="Where; the present folder by default.")] = Path(),
    name: Annotated[str, typer.Option(help="Your newsletter's name.")] = "",
    sender: Annotated[str, typer.Option(help='Who it is from: "The Example <news@news.example>".')] = "",
) -> None:
    """Write config/dispatcher.toml, config/topics.toml and a secret. Files that are there are left alone."""
    from dispatcher.cli import show
    from dispatcher.cli.session import run

    written = _write_files(folder, name, sender)
    for path in written:
        show.say(f"wrote {path}")
    if not written:
        show.say("everything is there already; nothing was changed")
    run(_create_database(folder / "config" / "dispatcher.toml"))
    show.say(
        "next: edit config/dispatcher.toml, look at it with `dispatcher config check`, then `dispatcher run --once`"
    )


def _write_files(folder: Path, name: str, sender: str) -> list[Path]:
    source = builtin_config()
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    text = (source / "dispatcher.toml").read_text(encoding="utf-8")
    text = _set(text, "secret_file", "config/secret")
    text = _set(text, "name", name) if name else text
    text = _set(text, "from", sender) if sender else text
    text = re.sub(r"(?m)^include = \[\]", 'include = ["topics.toml"]', text, count=1)
    texts = {"dispatcher.toml": text, "topics.toml": (source / "topics.toml").read_text(encoding="utf-8")}
    written = [config / file for file in texts if not (config / file).exists()]
    for path in written:
        path.write_text(texts[path.name], encoding="utf-8")
    if not (config / "secret").exists():
        _write_secret(config / "secret")
        written.append(config / "secret")
    return written


def _set(text: str, key: str, value: str) -> str:
    """Give the first line that sets a key another value; its comment stays."""
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return re.sub(rf'(?m)^({re.escape(key)} = )"[^"\n]*"', lambda found: found[1] + quoted, text, count=1)


def _write_secret(path: Path) -> None:
    """Readable by its owner alone from the first moment on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")


def builtin_config() -> Path:
    """The folder of the commented default configuration: the repository's in a checkout, else the package's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_config"
    return packaged if packaged.is_dir() else package.parent / "config"


async def _create_database(config: Path) -> None:
    from dispatcher import clock
    from dispatcher.pipeline.context import load_settings, open_store

    settings = load_settings(config)
    if settings.database_url.startswith("sqlite"):
        async with open_store(settings, clock.now()):
            pass
