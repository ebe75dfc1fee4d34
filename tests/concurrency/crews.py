"""The workers of a daemon that a test started, seen from outside: who they are, what they take, how to hurt them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def workers_of(pid: int) -> list[int]:
    """The process ids of a daemon's living workers."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children if b"dispatcher.workers" in _command(int(child))]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a worker, if it is there still."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def alive(pid: int) -> bool:
    """Whether a worker runs; a zombie does not."""
    try:
        return "dispatcher.workers" in _command(pid).decode() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def resident(pid: int) -> int:
    """Kilobytes of memory that a process occupies."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
