"""Settings from the environment, such as DISPATCHER_SITE__URL or, in a list, DISPATCHER_SMTP__0__PASSWORD."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from dispatcher.config import schema
from dispatcher.config.draft import ENVIRONMENT, PREFIX, Draft, Place, variable
from dispatcher.config.nearest import nearest
from dispatcher.config.schema import Keys

# Kubernetes gives every container these for a service called "dispatcher"; they are not meant for us.
_KUBERNETES = re.compile(r"DISPATCHER_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def apply(draft: Draft, env: Mapping[str, str]) -> None:
    """Put what the environment sets over what the files say; note in the draft what is wrong with it."""
    ours = {_keys(name): name for name in env if name.startswith(PREFIX) and not _is_meant_for_others(name)}
    for keys in sorted(ours, key=lambda keys: [(isinstance(key, str), key) for key in keys]):  # [2] before [10]
        name = ours[keys]
        mistake = _mistake(draft, keys, name, env[name])
        if mistake:
            draft.complain_of(Place(ENVIRONMENT, name), mistake, keys)
        else:
            _set(draft, keys, _value(env[name], schema.type_at(keys)))


def _is_meant_for_others(name: str) -> bool:
    return name == "DISPATCHER_CONFIG" or name.startswith("DISPATCHER_TEST_") or _KUBERNETES.fullmatch(name) is not None


def _keys(name: str) -> Keys:
    """The keys a variable stands for. Small letters stay apart, so that no two variables set one key."""
    parts = name.removeprefix(PREFIX).split("__")
    return tuple(int(part) if re.fullmatch(r"[0-9]{1,6}", part) else part.swapcase() for part in parts)


def _mistake(draft: Draft, keys: Keys, name: str, text: str) -> str:
    if schema.type_at(keys) is None:
        near = nearest(name.removeprefix(PREFIX), _known(keys))
        hint = f"did you mean {PREFIX}{near}?" if near else "such are made like DISPATCHER_SITE__URL"
        return f"is no setting; {hint}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "is not UTF-8 text"
    for length in range(1, len(keys)):
        mistake = _misfit(draft, keys, length)
        if mistake:
            return mistake
    return ""


def _known(keys: Keys) -> Iterator[str]:
    """All variables there are, without the prefix; in lists, with the numbers that `keys` has there."""
    for known in schema.all_keys():
        pairs = zip_longest(known, keys[: len(known)])
        names = tuple(given if isinstance(key, int) and isinstance(given, int) else key for key, given in pairs)
        yield variable(names).removeprefix(PREFIX)


def _misfit(draft: Draft, keys: Keys, length: int) -> str:
    """Why `keys` cannot be set within what stands at its first `length` keys; empty if it can."""
    container, key = draft.value(keys[:length]), keys[length]
    if container is not None and not isinstance(container, list if isinstance(key, int) else dict):
        return f"cannot be set: {draft.place(keys[:length]).key} is given as one value"
    count = len(container or ())
    if isinstance(key, int) and key > count:
        next_one = variable((*keys[:length], count, *keys[length + 1 :]))
        return f"skips a number: the list has {count} so far; did you mean {next_one}?"
    return ""


def _value(text: str, kind: Any) -> Any:
    """Text where text is expected; else what TOML makes of it, or the text itself, which validation then refuses."""
    if schema.is_text(kind):
        return text
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if len(read) == 1 else text


def _set(draft: Draft, keys: Keys, value: Any) -> None:
    draft.places = {known: place for known, place in draft.places.items() if known[: len(keys)] != keys}
    for length, following in enumerate(keys[1:], start=1):
        if draft.value(keys[:length]) is None:
            _put(draft, keys[:length], [] if isinstance(following, int) else {})
    _put(draft, keys, value)


def _put(draft: Draft, keys: Keys, value: Any) -> None:
    container, key = draft.value(keys[:-1]), keys[-1]
    if isinstance(container, list) and key == len(container):
        container.append(value)
    else:
        container[key] = value
    draft.places[keys] = Place(ENVIRONMENT, variable(keys))
