"""In a terminal one sees that work is under way and is asked before anything is destroyed; in a pipe it is quiet."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading
from pathlib import Path

import pytest
from command_line import dispatcher, newsroom


def in_terminal(folder: Path, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Run a command in a terminal of 80 columns, at which somebody types; its exit code, and all that shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS="80")
        os.execv(sys.executable, [sys.executable, "-m", "dispatcher", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.write(terminal, typed.encode())  # the terminal keeps it until it is asked for
    killer = threading.Timer(30, os.kill, (child, 9))
    killer.start()
    shown = bytearray()
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # the other side has gone
        pass
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    killer.cancel()
    os.close(terminal)
    return code, shown.decode(errors="replace")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    newsroom(tmp_path)
    lines = (f"reader{number}@reader.example,Reader {number}" for number in range(30))
    (tmp_path / "people.csv").write_text("email,name\n" + "\n".join(lines) + "\n")
    return tmp_path


def test_an_import_shows_a_bar_in_a_terminal_and_nothing_but_its_result_in_a_pipe(room: Path) -> None:
    code, shown = in_terminal(room, "subscribers", "import", "people.csv")
    assert code == 0
    assert "importing people.csv" in shown
    assert "30 added" in shown
    said = dispatcher(room, "subscribers", "import", "people.csv")
    assert (said.code, said.err) == (0, "")
    assert said.out == "30 people read: 0 added, 0 updated, 30 unchanged, 0 bad\n"


@pytest.mark.parametrize(("answer", "code", "status"), [("n\n", 1, "active"), ("y\n", 0, "unsubscribed")])
def test_removing_a_person_asks_first(answer: str, code: int, status: str, room: Path) -> None:
    ended, shown = in_terminal(room, "subscribers", "remove", "ann@reader.example", typed=answer)
    assert (ended, "Unsubscribe ann@reader.example?" in shown) == (code, True)
    assert dispatcher(room, "subscribers", "show", "ann@reader.example", "--json").json["status"] == status
