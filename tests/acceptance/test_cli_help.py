"""Help is there at once, for every command, and the reference knows them all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import dispatcher

from dispatcher.cli.app import app

HEAVY = {
    "sqlalchemy",
    "sqlmodel",
    "aiohttp",
    "asyncio",
    "pydantic",
    "jinja2",
    "structlog",
    "rich.console",
    "feedparser",
}
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def commands(group: Any, *above: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*above, name)
        if hasattr(command, "commands"):
            yield from commands(command, *above, name)


COMMANDS = list(commands(typer.main.get_command(app)))


def test_the_command_line_imports_nothing_heavy_before_a_command_runs() -> None:
    script = "import dispatcher.cli.app, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY.intersection(loaded) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_says_what_it_does(command: tuple[str, ...], tmp_path: Path) -> None:
    said = dispatcher(tmp_path, *command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: dispatcher {' '.join(command)}")
    assert dispatcher(tmp_path, *command, "-h").out == said.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_stands_in_the_reference_with_all_its_options(command: tuple[str, ...]) -> None:
    found: Any = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]
    text = REFERENCE.read_text(encoding="utf-8")
    assert f"`{' '.join(command)}" in text
    missing = [option for one in found.params for option in one.opts if option.startswith("--") and option not in text]
    assert missing == []


def test_every_listing_speaks_json() -> None:
    groups = {command[0] for command in COMMANDS if command[1:] == ("list",)}
    assert groups == {
        "sources", "topics", "subscribers", "suppressions", "articles", "deliveries", "webhooks", "tokens", "operators",
        "templates", "editions",
    }  # fmt: skip


def test_a_misspelt_command_is_answered_with_the_right_one(tmp_path: Path) -> None:
    said = dispatcher(tmp_path, "statuss")
    assert (said.code, said.out) == (2, "")
    assert "Did you mean 'status'?" in said.err


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    from dispatcher import __version__

    assert dispatcher(tmp_path, "--version").out == f"dispatcher {__version__}\n"
