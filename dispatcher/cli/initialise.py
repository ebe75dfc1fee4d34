"""`init`: a folder in which `run` works."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Annotated

import typer

TOPICS, SECRET = "topics.toml", "secret"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("init")(initialise)


def initialise(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where; the present folder by default.")] = Path(),
    name: Annotated[str, typer.Option(metavar="TEXT", help="Your newsletter's name.")] = "",
    sender: Annotated[str, typer.Option(metavar="MAILBOX", help='Who it is from: "Example <news@news.example>".')] = "",
) -> None:
    """Make a folder to work in. It gets a commented configuration, a secret and a database; what is there stays."""
    from dispatcher.cli import show
    from dispatcher.cli.session import run

    for key, value in (("site.name", name), ("mail.from", sender)):
        _check(key, value)
    written = _write_files(folder, name, sender)
    for path in written:
        show.say(f"wrote {path}")
    if not written:
        show.say("everything is there already; nothing was changed")
    run(_create_database(folder / "config" / "dispatcher.toml"))
    where = "" if folder.resolve() == Path.cwd() else f"go to {folder}, "
    show.say(f"next: {where}edit config/dispatcher.toml, try it with `dispatcher config check`, "
             "then `dispatcher run --once`")  # fmt: skip


def _check(key: str, value: str) -> None:
    """Refuse, before anything is written, what the file could not be read with."""
    from dispatcher.cli.trouble import UsageError
    from dispatcher.config import texts
    from dispatcher.config.addresses import mailbox

    try:
        _ = texts.line(value) and key == "mail.from" and mailbox(value)
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from None


def _write_files(folder: Path, name: str, sender: str) -> list[Path]:
    main, topics, secret = (folder / "config" / file for file in ("dispatcher.toml", TOPICS, SECRET))
    main.parent.mkdir(parents=True, exist_ok=True)
    written = []
    if not main.exists():
        main.write_text(_configuration(name, sender), encoding="utf-8")
        written.append(main)
    named = main.read_text(encoding="utf-8", errors="replace")  # the operator's own may want neither of the others
    if f'"{TOPICS}"' in named and not topics.exists():
        shutil.copyfile(builtin_config() / TOPICS, topics)
        written.append(topics)
    if f'"config/{SECRET}"' in named and not secret.exists():
        _write_secret(secret)
        written.append(secret)
    return written


def _configuration(name: str, sender: str) -> str:
    text = (builtin_config() / "dispatcher.toml").read_text(encoding="utf-8")
    for key, value in (("secret_file", f"config/{SECRET}"), ("name", name), ("from", sender)):
        text = _set(text, key, value) if value else text
    return re.sub(r"(?m)^include = \[\]", f'include = ["{TOPICS}"]', text, count=1)


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
