"""What validation finds wrong, in words for the person who wrote it: the value, what is expected, what is near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.config import schema
from dispatcher.config.draft import Draft
from dispatcher.config.fields import REFUSED
from dispatcher.config.nearest import did_you_mean, nearest
from dispatcher.config.schema import Keys
from dispatcher.config.urls import masked

_FOLLOW = '{topic = "slug", cadence = "instant"}'


def note(draft: Draft, error: ValidationError) -> None:
    """Note in the draft everything that validation found."""
    for details in error.errors(include_url=False):
        keys = details["loc"]
        if details["type"] not in ("missing", "extra_forbidden"):
            while keys and draft.value(keys) is None:
                keys = keys[:-1]  # a follow written as a mere slug has no key "topic"
        draft.complain(keys, _sentence(keys, details))


def _sentence(keys: Keys, details: ErrorDetails) -> str:
    if details["type"] == REFUSED:
        return str(details["ctx"]["sentence"])
    words = _WORDS.get(details["type"])
    return words(keys, details["input"]) if words else f"{_shown(keys, details['input'])}: {details['msg']}"


def _unknown(keys: Keys, _: Any) -> str:
    key, model = str(keys[-1]), schema.model_at(keys[:-1])
    here = list(schema.fields(model)) if model else []
    elsewhere = next((known[:-1] for known in schema.all_keys() if known[-1] == key), None)
    if elsewhere is None or nearest(key, here):
        return f"unknown key{did_you_mean(key, here, 'expected ' + ', '.join(here))}"
    place = f"in {schema.header(elsewhere)}" if elsewhere else "at the top of the file, before the first [section]"
    return f"unknown key; it belongs {place}"


def _missing(keys: Keys, _: Any) -> str:
    if len(keys) > 3:
        return f"is missing; expected {_FOLLOW}"
    return f"is missing; every {schema.header(keys[:-1])} needs one"


def _not_text(keys: Keys, value: Any) -> str:
    simple = isinstance(value, (int, float)) and not isinstance(value, bool) and not schema.is_secret(keys)
    return f"{_shown(keys, value)}; expected text in quotes" + (f'; did you mean "{value}"?' if simple else "")


def _not_a_duration(keys: Keys, value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    hint = f'; did you mean "{value}s"?' if whole else ', such as "15m"'
    return f"{_shown(keys, value)}; expected a duration in quotes{hint}"


def _not_a_number(keys: Keys, value: Any) -> str:
    digits = isinstance(value, str) and value.strip().isdecimal()
    hint = f"; did you mean {int(value)}?" if digits and len(value) < 10 else ""
    return f"{_shown(keys, value)}; expected a whole number{schema.number_range(keys)}{hint}"


def _out_of_range(keys: Keys, value: Any) -> str:
    return f"{_shortened(str(value))} is out of range; expected a whole number{schema.number_range(keys)}"


def _not_a_truth(keys: Keys, value: Any) -> str:
    word = str(value).casefold()
    near = "true" if word in ("true", "yes", "on", "1") else "false" if word in ("false", "no", "off", "0") else ""
    return f"{_shown(keys, value)}; expected true or false" + (f"; did you mean {near}?" if near else "")


def _not_a_choice(keys: Keys, value: Any) -> str:
    choices = schema.choices(keys)
    listed = ", ".join(f'"{choice}"' for choice in choices)
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    return f"{_shown(keys, value)}; expected one of {listed}{near}"


def _not_a_list(keys: Keys, value: Any) -> str:
    if schema.model_at((*keys, 0)) is None:
        near = f'; did you mean ["{value}"]?' if isinstance(value, str) else ""
        return f"{_shown(keys, value)}; expected a list{near}"
    if len(keys) == 1:
        return f"{_shown(keys, value)}; it is a list: write [[{keys[0]}]]"
    return f'{_shown(keys, value)}; expected a list, such as ["slug", {_FOLLOW}]'


def _not_a_table(keys: Keys, value: Any) -> str:
    if len(keys) > 2:
        return f"{_shown(keys, value)}; expected a slug, or {_FOLLOW}"
    return f"{_shown(keys, value)}; expected a table: write {schema.header(keys)}"


def _shown(keys: Keys, value: Any) -> str:
    """A wrong value and what it is, but for a secret's, which is not shown."""
    if schema.is_secret(keys) or isinstance(value, (list, dict)):
        return f"is {_kind(value)}"
    if isinstance(value, str):
        return f'"{_shortened(masked(value))}" is text'
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{_shortened(text)} is {_kind(value)}"


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


_WORDS: dict[str, Callable[[Keys, Any], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "string_type": _not_text,
    "time_delta_type": _not_a_duration,
    "int_type": _not_a_number,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "bool_type": _not_a_truth,
    "literal_error": _not_a_choice,
    "tuple_type": _not_a_list,
    "model_type": _not_a_table,
}
