"""A theme on the command line: what is wrong is refused, what can hardly be read is warned of."""

from __future__ import annotations

from pathlib import Path

from command_line import dispatcher, in_json


def configured(folder: Path, theme: str) -> Path:
    """A folder with this theme."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "dispatcher.toml").write_text(f"[theme]\n{theme}\n", encoding="utf-8")
    return folder


def test_faint_colours_are_a_warning_and_the_configuration_is_fine(tmp_path: Path) -> None:
    checked = dispatcher(configured(tmp_path, 'accent = "#ffd400"'), "config", "check")
    assert checked.code == 0
    assert "fine" in checked.out
    assert "theme: accent on sheet has a contrast of 1.43:1" in checked.err
    (warning,) = in_json(tmp_path, "config", "check")["warnings"]
    assert 'accent = "#8a7200" would do' in warning


def test_what_is_no_colour_is_refused_with_its_key(tmp_path: Path) -> None:
    checked = dispatcher(configured(tmp_path, 'ink = "black"'), "config", "check")
    assert checked.code == 3
    assert 'theme.ink: "black" is not a colour; expected one such as "#a3271b"' in checked.err
