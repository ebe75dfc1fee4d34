"""Finding the configuration file, reading it and the files it includes."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from dispatcher.config.draft import Draft, Place
from dispatcher.config.nearest import did_you_mean
from dispatcher.config.schema import ENTRY_LISTS
from dispatcher.errors import ConfigError, Problem

_ENCLOSED = ", ".join(f"[[{name}]]" for name in ENTRY_LISTS)


def find(path: Path | None, cwd: Path, env: Mapping[str, str]) -> Path | None:
    """The configuration file in force, absolute; None if there is none and nobody asked for one.

    The one asked for (`path`, or DISPATCHER_CONFIG), whether it exists or not; else `config/dispatcher.toml` here; else
    `dispatcher/dispatcher.toml` under XDG_CONFIG_HOME.
    """
    asked_for = path or (Path(env["DISPATCHER_CONFIG"]) if env.get("DISPATCHER_CONFIG") else None)
    if asked_for is not None:
        return Path(os.path.abspath(cwd / asked_for))
    candidates = [cwd / "config" / "dispatcher.toml", _config_home(env) / "dispatcher" / "dispatcher.toml"]
    return next((Path(os.path.abspath(candidate)) for candidate in candidates if _is_there(candidate)), None)


def base_of(file: Path) -> Path:
    """The folder that relative paths in `file` are relative to: the one that holds config/, else the file's own."""
    return file.parent.parent if file.parent.name == "config" else file.parent


def read(file: Path, cwd: Path) -> Draft:
    """The file and all it includes. ConfigError if it cannot be read itself; what else is wrong is in the draft."""
    name = _shown(file, cwd)
    try:
        draft = Draft(name, _toml(file))
    except ValueError as error:
        raise ConfigError([Problem(name, "", f"{error}{_file_inside(file)}")]) from None
    includes = draft.tree.get("include")
    for number, include in enumerate(includes if isinstance(includes, list) else []):
        if isinstance(include, str) and include.strip():
            _include(draft, number, file, cwd)
    return draft


def text_of(file: Path, most: int = 16_000_000) -> str:
    """The text of a file. ValueError, with a sentence, if it cannot be read, is too long or is not UTF-8."""
    try:
        if file.is_dir():
            raise ValueError("is a folder, not a file")
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(content) > most:
        raise ValueError(f"is longer than {most} bytes: surely not the file you mean")
    try:
        return content.decode("utf-8-sig")  # some editors put a byte order mark first
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: is not UTF-8 (byte 0x{content[error.start]:02x}); save it as UTF-8") from None


def _config_home(env: Mapping[str, str]) -> Path:
    asked_for = Path(env.get("XDG_CONFIG_HOME", ""))
    if asked_for.is_absolute():  # the XDG specification says to ignore a relative one
        return asked_for
    return Path(env["HOME"] if env.get("HOME") else os.path.expanduser("~")) / ".config"


def _is_there(file: Path) -> bool:
    """Whether a file is to be read: an unreadable one is, so that it is not silently replaced by the defaults."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _shown(file: Path, cwd: Path) -> str:
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)


def _file_inside(folder: Path) -> str:
    """The file that was probably meant, if a folder was named instead."""
    for inside in ("config/dispatcher.toml", "dispatcher.toml"):
        if (folder / inside).is_file():
            return f'; did you mean "{folder / inside}"?'
    return ""


def _toml(file: Path) -> dict[str, Any]:
    text = text_of(file).replace("\r\n", "\n")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(_syntax_error(str(error), text)) from None


def _syntax_error(words: str, text: str) -> str:
    """The parser's complaint with the place first, and a hint where the mistake is a common one."""
    reason, _, place = words.removesuffix(")").rpartition(" (at ")
    if found := re.fullmatch(r"line (\d+), column (\d+)", place):
        line, column = int(found[1]), int(found[2])
    else:  # "end of document", or no place at all
        reason = reason or words
        line, column = text.count("\n") + 1, len(text.rpartition("\n")[2]) + 1
    return f"line {line}, column {column}: {_reworded(reason)}"


def _reworded(reason: str) -> str:
    if twice := re.fullmatch(r"Cannot declare \((.*?),?\) twice", reason):
        name = ".".join(re.findall(r"'([^']*)'", twice[1]))
        return f"[{name}] stands twice; keep one, or write [[{name}]] if it is a list"
    hints = {
        "Illegal character '\\n'": "the text is not closed; expected a quote at its end",
        "Invalid value": 'is not a value; text needs quotes ("…"), and true and false small letters',
        "Cannot overwrite a value": "this key was given before; keep one of the two",
        "Expected '=' after a key in a key/value pair": "expected key = value",
        "Unescaped '\\' in a string": "a backslash in \"…\" must be doubled; in '…' it needs not",
    }
    return hints.get(reason, reason[:1].lower() + reason[1:])


def _include(draft: Draft, number: int, main: Path, cwd: Path) -> None:
    include, keys = draft.tree["include"][number], ("include", number)
    file = _beside(main, include)
    mistake = _include_mistake(draft, number, main)
    if mistake:
        draft.complain(keys, f'"{include}" {mistake}')
        draft.is_whole = False
        return
    try:
        _merge(draft, _toml(file), _shown(file, cwd))
    except ValueError as error:
        draft.complain_of(Place(_shown(file, cwd), ""), str(error), keys)
        draft.is_whole = False


def _include_mistake(draft: Draft, number: int, main: Path) -> str:
    """Why a file cannot be included, apart from what is in it; empty if it can."""
    include, earlier = draft.tree["include"][number], draft.tree["include"][:number]
    if PurePath(include).is_absolute() or ".." in PurePath(include).parts:
        return f'leads out of the folder {main.parent.name}/; expected a file in it, such as "topics.toml"'
    file = _beside(main, include)
    if file == main:
        return "is the file that includes it; leave it out"
    if any(_beside(main, name) == file for name in earlier if isinstance(name, str)):
        return "is included twice; name it once"
    if not os.path.exists(file):
        others = [found.name for found in sorted(main.parent.glob("*.toml")) if found != main]
        return f"does not exist in {main.parent.name}/{did_you_mean(include, others)}"
    return ""


def _beside(main: Path, name: str) -> Path:
    return Path(os.path.normpath(main.parent / name))


def _merge(draft: Draft, tree: dict[str, Any], name: str) -> None:
    for key, entries in tree.items():
        if key not in ENTRY_LISTS:
            sentence = f"cannot stand in an included file, only {_ENCLOSED} can{did_you_mean(key, ENTRY_LISTS)}"
            draft.complain_of(Place(name, key), sentence, ("include",))
        elif not isinstance(entries, list):
            draft.complain_of(Place(name, key), f"is not a list of tables; write [[{key}]]", ("include",))
        else:
            _append(draft, key, entries, name)


def _append(draft: Draft, key: str, entries: list[Any], name: str) -> None:
    merged = draft.tree.setdefault(key, [])
    if isinstance(merged, list):  # if not, the main file's mistake is told elsewhere
        for number, entry in enumerate(entries):
            draft.places[(key, len(merged))] = Place(name, f"{key}[{number}]")
            merged.append(entry)
