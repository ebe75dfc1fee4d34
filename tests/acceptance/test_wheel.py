"""The wheel holds everything: installed by itself, in an empty folder, it makes a newsletter and runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns("__pycache__", ".*")
SOURCES = ("dispatcher", "templates", "config")
FILES = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel unpacked in it, and nothing else; built from a copy, so that the checkout stays clean."""
    base = tmp_path_factory.mktemp("wheel")
    source = base / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=IGNORED)
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    without = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *without, "--no-build-isolation", "-w", str(base), str(source)], check=True)
    shutil.rmtree(source)
    [wheel] = base.glob("*.whl")
    subprocess.run([*pip, "install", *without, "--target", str(base / "site"), str(wheel)], check=True)
    return base / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed copy. Its place stands first on the path, before what an editable install may have added."""
    script = (
        "from dispatcher.cli import main; import dispatcher, sys; print(dispatcher.__file__, file=sys.stderr); main()"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DISPATCHER_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(installed), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_installed_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    for command in (("init",), ("run", "--once")):
        done = run(installed, tmp_path, *command)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(str(installed)), "the copy was run, not the checkout"
        assert str(ROOT) not in done.stdout + done.stderr
    assert (tmp_path / "subscribers.db").exists()


def test_the_wheel_carries_templates_configuration_migrations_words_and_types(installed: Path) -> None:
    package = installed / "dispatcher"
    for folder, inside in (("templates", "_templates"), ("config", "_config")):
        ours = {path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {path.relative_to(package / inside) for path in (package / inside).rglob("*") if path.is_file()} == ours
    for name in ("py.typed", "store/migrations/env.py", "digest/words/de.po"):
        assert (package / name).is_file()
    assert list((package / "store" / "migrations" / "versions").glob("*.py"))


def test_the_wheel_puts_nothing_beside_the_package(installed: Path) -> None:
    beside = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert beside - {"bin", "__pycache__"} == {"dispatcher"}
