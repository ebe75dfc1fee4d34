"""The configuration while it is being put together: what was written, where each value stands, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dispatcher.config.schema import Keys, written
from dispatcher.errors import Problem

ENVIRONMENT = "environment"
PREFIX = "DISPATCHER_"
_DEEPEST = 6  # levels of keys; deeper ones are nobody's, and may be thousands


class Place(NamedTuple):
    """Where something was written: a file, or the environment, and the key path or variable there."""

    file: str
    key: str


def variable(keys: Keys) -> str:
    """The name of the environment variable that sets `keys`."""
    return PREFIX + "__".join(str(key).upper() for key in keys)


@dataclass
class Draft:
    """One tree, as TOML gives it, of all files and the environment.

    `places` names the place of some keys; what lies beneath them was written in the same place. `is_whole` is false
    when a file could not be read, so that what it would have held is not missed as well.
    """

    file: str
    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[Keys, Place] = field(default_factory=dict)
    is_whole: bool = True
    _problems: list[tuple[Keys, Problem]] = field(default_factory=list)

    def place(self, keys: Keys) -> Place:
        """Where `keys` was written, or would have been."""
        for length in range(len(keys), 0, -1):
            known = self.places.get(keys[:length])
            if known is not None:
                in_environment = known.file == ENVIRONMENT
                return Place(known.file, variable(keys) if in_environment else _joined(known.key, keys[length:]))
        return Place(self.file, written(keys))

    def complain(self, keys: Keys, sentence: str) -> None:
        """Note that what stands at `keys` is wrong."""
        self.complain_of(self.place(keys), sentence, keys)

    def complain_of(self, place: Place, sentence: str, keys: Keys = ()) -> None:
        """Note that something is wrong in a place that no key of the tree stands for."""
        self._problems.append((keys, Problem(place.file, _on_one_line(place.key), _on_one_line(sentence))))

    def problems(self) -> list[Problem]:
        """All that is wrong, in the order of the files: the main one, those it includes, the environment."""
        files = list(dict.fromkeys([self.file, *(place.file for place in self.places.values())]))
        order = {keys: number for number, keys in enumerate(self.walk())}

        def rank(found: tuple[Keys, Problem]) -> tuple[bool, int, int]:
            keys, problem = found
            while keys not in order:
                keys = keys[:-1]
            file = files.index(problem.file) if problem.file in files else 0
            return problem.file == ENVIRONMENT, file, order[keys]

        return [problem for _, problem in sorted(self._problems, key=rank)]

    def entries(self, name: str) -> list[tuple[int, dict[str, Any]]]:
        """The well-formed entries of a list of tables, with their numbers."""
        entries = self.tree.get(name)
        return [(i, e) for i, e in enumerate(entries) if isinstance(e, dict)] if isinstance(entries, list) else []

    def walk(self, keys: Keys = ()) -> Iterator[Keys]:
        """All keys of the tree that could be settings, in the order in which they were written."""
        yield keys
        value = self.value(keys) if len(keys) < _DEEPEST else None
        inner = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for key in inner:
            yield from self.walk((*keys, key))

    def value(self, keys: Keys) -> Any:
        """What stands at `keys`; None if nothing does."""
        found: Any = self.tree
        for key in keys:
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError):
                return None
        return found


def _joined(path: str, rest: Keys) -> str:
    inner = written(rest)
    return path + (inner if inner.startswith("[") or not inner else f".{inner}")


def _on_one_line(text: str) -> str:
    """`text` with everything invisible spelt out, so that it can neither hide nor play with the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
