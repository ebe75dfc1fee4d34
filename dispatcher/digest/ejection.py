"""Copies of our templates for the operator to change: the first line says which state of ours each is a copy of."""

from __future__ import annotations

import hashlib
import re

_MARK = "{{# {name} as dispatcher {version} has it: {hash} #}}\n"
_HASH = re.compile(r"\{# \S+ as dispatcher \S+ has it: ([0-9a-f]{12}) #\}")


def ejected(name: str, source: str, program_version: str) -> str:
    """The copy of a template. Its first line is a remark, which shows nowhere."""
    return _MARK.format(name=name, version=program_version, hash=_hash(source)) + source


def is_outdated(copy: str, ours: str) -> bool | None:
    """Whether ours has changed since this was copied from it; None if it does not say what it was copied from."""
    found = _HASH.match(copy)
    return found[1] != _hash(ours) if found else None


def _hash(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]
