"""A file tree that a server lives in by itself (chroot), made of unpacked packages; it takes root to make one.

Nothing outside is written, and no process of it outlives it: whatever has the tree for its root is ended with it,
however it detached itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

PATH = "/usr/sbin:/usr/bin"
DEVICES = {"null": 3, "zero": 5, "random": 8, "urandom": 9}


class ServerTree:
    """A copy of what was unpacked, with devices and `users`: names and made-up numbers, their groups' too."""

    def __init__(self, unpacked: Path, users: Mapping[str, int]) -> None:
        self.users = users
        self._folder = tempfile.TemporaryDirectory(prefix=f"{unpacked.name}-", ignore_cleanup_errors=True)
        self.root = Path(self._folder.name) / "root"
        shutil.copytree(unpacked, self.root, symlinks=True, copy_function=_link)
        self.root.chmod(0o755)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / name).symlink_to(f"usr/{name}")
        self.make_folder("tmp", 0o1777)
        self.make_folder("dev")
        for name, minor in DEVICES.items():
            os.mknod(self.root / "dev" / name, 0o020000, os.makedev(1, minor))
            (self.root / "dev" / name).chmod(0o666)
        everybody = {"root": 0, "nobody": 65534, **users}
        self.write("etc/passwd", "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in everybody.items()))
        self.write("etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid in everybody.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n")

    def make_folder(self, path: str, mode: int = 0o755, owner: str = "root", group: str = "") -> None:
        """A folder, with those above it."""
        made = self.root / path
        made.mkdir(parents=True, exist_ok=True)
        self.give(path, owner, group)
        made.chmod(mode)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file, in the place of the package's own if it has one."""
        written = self.root / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.unlink(missing_ok=True)  # never through a link into what was unpacked
        written.write_text(text, encoding="utf-8")
        written.chmod(mode)

    def give(self, path: str, owner: str, group: str = "") -> None:
        """Make something a user's."""
        os.chown(self.root / path, self.users.get(owner, 0), self.users.get(group or owner, 0))

    def run(self, *command: str, told: str = "") -> str:
        """What a program of it answers."""
        done = subprocess.run(["chroot", self.root, *command], input=told, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A program of it that stays; what it says goes to the file `output`."""
        with (self.root / "output").open("wb") as output:
            return subprocess.Popen(["chroot", self.root, *command], stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output, env={"PATH": PATH}, start_new_session=True)  # fmt: skip

    def remove(self) -> None:
        """End what lives in it, and take it away."""
        while inhabitants := list(self._inhabitants()):
            for pid in inhabitants:
                os.kill(pid, signal.SIGKILL)
        self._folder.cleanup()

    def _inhabitants(self) -> Iterator[int]:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                lives_here = (process / "root").readlink() == self.root
                is_dead = "State:\tZ" in (process / "status").read_text()
            except OSError:  # it ended meanwhile
                continue
            if lives_here and not is_dead:
                yield int(process.name)


def _link(source: str, target: str) -> None:
    """A second name for a file that nobody writes to; where that cannot be, a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
