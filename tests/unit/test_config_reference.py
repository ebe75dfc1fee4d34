"""`docs/reference/configuration.md` names every key, with the default it has."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dispatcher.config import durations, schema
from dispatcher.config.section import Section
from dispatcher.config.settings import Document

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
SECTIONS = {name: schema.model_at((name,)) or schema.model_at((name, 0)) for name in schema.fields(Document)}
ROW = re.compile(r"\| `(?P<key>\w+)` \| (?P<default>[^|]+) \|")


def rows_of_the_page() -> dict[tuple[str, str], str]:
    found, section = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif (row := ROW.match(line)) and section in SECTIONS:
            found[section, row["key"]] = row["default"]
    return found


def fields() -> dict[tuple[str, str], FieldInfo]:
    tables = {
        (name, key): field for name, model in SECTIONS.items() if model for key, field in schema.fields(model).items()
    }
    return {("include", "include"): Document.model_fields["include"], **tables}


def as_in_toml(default: Any) -> Any:
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, timedelta):
        return default
    if isinstance(default, Section):
        return default.model_dump(exclude_unset=True)
    return list(default) if isinstance(default, tuple) else default


def test_the_page_names_every_key_of_every_section_and_no_other() -> None:
    assert set(rows_of_the_page()) == set(fields())


def test_the_page_gives_every_default_as_it_is() -> None:
    rows = rows_of_the_page()
    for place, field in fields().items():
        shown = rows[place]
        if field.is_required() or not shown.startswith("`"):
            assert (shown == "required") == field.is_required(), place
            assert field.is_required() or field.default == "", (
                f"{place}: an empty default means another section's value"
            )
            continue
        default = as_in_toml(field.default)
        value = tomllib.loads(f"value = {shown.strip('`')}")["value"]
        assert (durations.parse(value) if isinstance(default, timedelta) else value) == default, place
