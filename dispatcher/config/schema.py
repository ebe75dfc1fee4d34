"""Walking the models by the keys of the file: which keys there are, and what is expected where."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from dispatcher.config.settings import Document

Keys = tuple[str | int, ...]
ENTRY_LISTS = ("topics", "sources", "subscribers")  # what an included file may hold


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the key that stands in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def type_at(keys: Keys, model: type[BaseModel] = Document) -> Any:
    """The type of what stands at `keys`, without its annotations; None if nothing may stand there."""
    found: Any = model
    for key in keys:
        found = _plain(_inside(found, key))
    return found


def model_at(keys: Keys) -> type[BaseModel] | None:
    """The model of the table at `keys`; None if no table may stand there."""
    found = type_at(keys)
    return found if _is_model(found) else None


def field_at(keys: Keys) -> FieldInfo | None:
    """The field at `keys`; None for the element of a list, and where nothing may stand."""
    model = model_at(keys[:-1]) if keys else None
    return fields(model).get(str(keys[-1])) if model else None


def is_list(kind: Any) -> bool:
    """Whether a type is that of a list."""
    return get_origin(kind) is tuple


def is_text(kind: Any) -> bool:
    """Whether a type is written as text: words, secrets, one of a few words, durations."""
    return kind in (str, SecretStr, timedelta) or get_origin(kind) is Literal


def is_secret(keys: Keys) -> bool:
    """Whether what stands at `keys` must never be shown."""
    return type_at(keys) is SecretStr


def choices(keys: Keys) -> tuple[str, ...]:
    """The words of which one may stand at `keys`."""
    return get_args(type_at(keys))


def number_range(keys: Keys) -> str:
    """The least and greatest number that may stand at `keys`, in words."""
    metadata = getattr(field_at(keys), "metadata", [])
    least = next((str(limit.ge) for limit in metadata if isinstance(limit, Ge)), "")
    greatest = next((str(limit.le) for limit in metadata if isinstance(limit, Le)), "")
    return f" from {least} to {greatest}" if least and greatest else ""


def all_keys(model: type[BaseModel] = Document) -> Iterator[Keys]:
    """Every key of every table, the first entry standing for all entries of a list."""
    for key, field in fields(model).items():
        yield (key,)
        kind = _plain(field.annotation)
        inner: Keys = (key, 0) if is_list(kind) else (key,)
        if is_list(kind):
            yield inner
            kind = _inside(kind, 0)
        if _is_model(kind):
            yield from (inner + rest for rest in all_keys(kind))


def written(keys: Keys) -> str:
    """A key path as it is shown, such as "smtp[0].port"."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")


def header(keys: Keys) -> str:
    """The table at `keys` as its header is written in the file, such as "[site]" or "[[smtp]]"."""
    names = ".".join(str(key) for key in keys if isinstance(key, str))
    return f"[[{names}]]" if keys and isinstance(keys[-1], int) else f"[{names}]"


def _inside(kind: Any, key: str | int) -> Any:
    if is_list(kind) and isinstance(key, int):
        return _plain(get_args(kind)[0])
    if _is_model(kind) and key in fields(kind):
        return fields(kind)[str(key)].annotation
    return None


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
