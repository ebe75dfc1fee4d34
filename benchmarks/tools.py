"""The programs that `make bench-send` measures itself against, fetched into benchmarks/.tools by `make bench-tools`.

smtp-source and smtp-sink come out of Debian's postfix, unpacked and not installed; nodemailer comes through npm. What
cannot be fetched here is named and left out, and a benchmark leaves out what is not there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".tools"
UNPACK = Path(__file__).parents[1] / ".ci" / "unpack"
WRAPPER = """#!/bin/sh
root="$(dirname "$0")/../postfix"
for folder in "$root"/usr/lib/postfix "$root"/usr/lib/*-linux-*; do
  LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH
exec "$root/usr/sbin/NAME" "$@"
"""


def main() -> None:
    """Fetch what is not there yet; ends with 1 if something could not be fetched."""
    fetched = [_smtp_tools(), _nodemailer()]
    sys.exit(0 if all(fetched) else 1)


def _smtp_tools() -> bool:
    if not _works([str(UNPACK), str(FOLDER / "postfix"), "postfix"], "smtp-source and smtp-sink"):
        return False
    (FOLDER / "bin").mkdir(exist_ok=True)
    for name in ("smtp-source", "smtp-sink"):
        wrapper = FOLDER / "bin" / name
        wrapper.write_text(WRAPPER.replace("NAME", name), encoding="ascii")
        wrapper.chmod(0o755)
    return True


def _nodemailer() -> bool:
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("nodemailer: left out, node and npm are not installed")
        return False
    if (FOLDER / "node_modules" / "nodemailer").is_dir():
        print("nodemailer: there")
        return True
    FOLDER.mkdir(exist_ok=True)
    quiet = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return _works(["npm", "install", "--prefix", str(FOLDER), *quiet, "nodemailer"], "nodemailer")


def _works(command: list[str], name: str) -> bool:
    done = subprocess.run(command, check=False)
    print(f"{name}: {'there' if done.returncode == 0 else 'left out, it could not be fetched'}")
    return done.returncode == 0


if __name__ == "__main__":
    main()
