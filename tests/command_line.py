"""The real command line: within this process for what it says, in a process of its own for how it behaves there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dispatcher.cli import main


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as a program reads it."""
        return json.loads(self.out)


def dispatcher(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
    """Run a command in this process, as if in a folder; nobody is at the keyboard and output goes into a pipe."""
    out, err = io.StringIO(), io.StringIO()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    surroundings = patch.dict(os.environ, {**clean, "HOME": str(folder), **(env or {})}, clear=True)
    with (
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
        surroundings,
        patch.object(sys, "stdin", io.StringIO()),
    ):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return Said(code, out.getvalue(), err.getvalue())


def ok(folder: Path, *arguments: str) -> str:
    """What a command says that must succeed."""
    said = dispatcher(folder, *arguments)
    assert said.code == 0, said
    return said.out


def in_json(folder: Path, *arguments: str) -> Any:
    """The same, as a program reads it."""
    return json.loads(ok(folder, *arguments, "--json"))


def spawn(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Said:
    """Run a command in a process of its own, in a folder, and wait for its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", *arguments],
        cwd=folder,
        env={**clean, "HOME": str(folder), **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def newsroom(folder: Path, *, more: str = "") -> Path:
    """A folder with a configuration: a paper with two topics, a folder of articles and one reader."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "news").mkdir(exist_ok=True)
    (folder / "config" / "dispatcher.toml").write_text(NEWSROOM + more, encoding="utf-8")
    return folder


NEWSROOM = """
[site]
name = "The Quay"

[mail]
from = "The Quay <news@quay.example>"

[[smtp]]
host = "127.0.0.1"
port = 1

[[sources]]
name = "Desk"
url = "news"

[[topics]]
slug = "harbour"
query = "harbour OR ferry"

[[topics]]
slug = "everything"
query = "*"

[[subscribers]]
email = "ann@reader.example"
name = "Ann"
timezone = "Europe/London"
topics = ["harbour"]
"""
