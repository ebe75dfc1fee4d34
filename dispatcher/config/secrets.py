"""Secrets that stand in files of their own: `secret_file`, `password_file`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from dispatcher.config import files, urls
from dispatcher.config.draft import ENVIRONMENT, Draft
from dispatcher.config.schema import Keys

_MOST = 65_536


def apply(draft: Draft, base: Path) -> None:
    """Put what the files hold in the place of what names them; note in the draft what is wrong with them."""
    _read(draft, ("site",), "secret", base)
    for number, _ in draft.entries("smtp"):
        _read(draft, ("smtp", number), "password", base)
    for number, _ in draft.entries("webhooks"):
        _read(draft, ("webhooks", number), "secret", base)
    _read_into_url(draft, base)


def _read(draft: Draft, table: Keys, key: str, base: Path) -> None:
    keys, file_keys = (*table, key), (*table, f"{key}_file")
    name = draft.value(file_keys)
    if not isinstance(name, str) or not name or not _file_counts(draft, keys, file_keys):
        return
    secret = _secret(draft, file_keys, name, base)
    if secret is not None:
        draft.value(table)[key] = secret
        draft.places[keys] = draft.place(file_keys)


def _file_counts(draft: Draft, keys: Keys, file_keys: Keys) -> bool:
    """Whether the file is to be read: not if the environment gives the secret itself, or if both stand side by side."""
    if not draft.value(keys):
        return True
    direct_in_env, file_in_env = (draft.place(k).file == ENVIRONMENT for k in (keys, file_keys))
    if direct_in_env == file_in_env:
        draft.complain(file_keys, f"{keys[-1]} is given as well; keep one of the two")
    elif direct_in_env:
        del draft.value(file_keys[:-1])[file_keys[-1]]
    return file_in_env and not direct_in_env


def _read_into_url(draft: Draft, base: Path) -> None:
    """Put the password of `database.password_file` into `database.url`."""
    keys, database = ("database", "password_file"), draft.tree.get("database")
    name = draft.value(keys)
    if not isinstance(database, dict) or not isinstance(name, str) or not name:
        return
    url = database.get("url", "")
    if not isinstance(url, str) or not urls.is_postgresql(url):
        draft.complain(keys, "needs a postgresql:// database.url; SQLite takes no password")
    elif urls.masked(url) != url:
        draft.complain(keys, "database.url holds a password as well; keep one of the two")
    else:
        password = _secret(draft, keys, name, base)
        with suppress(ValueError):  # a malformed URL is told of when it is validated
            database["url"] = urls.with_password(url, password) if password else url


def _secret(draft: Draft, keys: Keys, name: str, base: Path) -> str | None:
    try:
        secret = files.text_of(base / os.path.expanduser(name), _MOST).rstrip("\r\n")
        if not secret.strip():
            raise ValueError("is empty; expected the secret")
        if any(character < " " for character in secret):
            raise ValueError("has more than one line; expected the secret alone")
    except ValueError as error:
        draft.complain(keys, f'"{name}": {error}')
        return None
    return secret


def is_given(table: dict[str, Any], key: str) -> bool:
    """Whether a table holds a secret, or names the file that holds it."""
    return bool(table.get(key) or table.get(f"{key}_file"))
