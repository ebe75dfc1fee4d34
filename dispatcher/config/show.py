"""The settings in force, as TOML, each with where it was set; secrets masked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr

from dispatcher.config import durations, schema
from dispatcher.config.settings import Document, Follow, Settings
from dispatcher.config.urls import MASK, masked


def show(settings: Settings) -> str:
    """The effective settings. Whatever opens a door, passwords within URLs included, is shown as ******."""
    return "\n".join(_lines(settings)) + "\n"


def _lines(settings: Settings) -> Iterator[str]:
    yield f"# {settings.file or 'no configuration file: these are the defaults'}"
    for key in schema.fields(Document):
        value = getattr(settings, key)
        if isinstance(value, BaseModel):
            yield from _table(f"[{key}]", key, value, settings)
        elif schema.model_at((key, 0)) is None:
            yield f"{key} = {_toml(value)}{_origin(key, settings)}"
        else:
            for number, entry in enumerate(value):
                yield from _table(f"[[{key}]]", f"{key}[{number}]", entry, settings)


def _table(header: str, path: str, table: BaseModel, settings: Settings) -> Iterator[str]:
    yield f"\n{header}"
    for name, field in type(table).model_fields.items():
        key = field.alias or name
        value = getattr(table, name)
        if (path, key) == ("database", "url"):
            value = value.get_secret_value()  # shown, as any URL, but for its password
        yield f"{key} = {_toml(value)}{_origin(f'{path}.{key}', settings)}"


def _origin(path: str, settings: Settings) -> str:
    return f"  # {settings.origins.get(path, 'default')}"


def _toml(value: Any) -> str:
    match value:
        case SecretStr():
            return f'"{MASK}"' if value.get_secret_value() else '""'
        case timedelta():
            return _quoted(durations.write(value))
        case bool() | int():
            return str(value).lower()
        case float():
            return repr(value)
        case Follow():
            topic = _quoted(value.topic)
            return f"{{topic = {topic}, cadence = {_quoted(value.cadence)}}}" if value.cadence else topic
        case BaseModel():
            chosen = [
                f"{name} = {_toml(getattr(value, name))}"
                for name in type(value).model_fields
                if name in value.model_fields_set
            ]
            return f"{{{', '.join(chosen)}}}"
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return _quoted(masked(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's, but for DEL
