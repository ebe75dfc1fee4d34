"""What a crew and its workers say to each other, over pipes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dispatcher.pipeline.send import SendReport

LOOK = b"look\n"
"""There is something to send: look now rather than at your next look."""

RELOAD = b"reload\n"
"""Read the configuration again."""

READY = b"ready\n"
"""What a worker says first, once it can work."""


def last_words(report: SendReport) -> str:
    """What a worker did, as the last line it says."""
    return json.dumps(asdict(report))


def understood(said: bytes) -> SendReport:
    """The report in a worker's last line; an empty one if it said nothing of the kind."""
    lines = said.decode(errors="replace").splitlines() or [""]
    try:
        values = json.loads(lines[-1])
    except ValueError:
        return SendReport()
    return SendReport(**_counts(values)) if isinstance(values, dict) else SendReport()


def _counts(values: Mapping[str, Any]) -> dict[str, int]:
    known = asdict(SendReport())
    return {name: value for name, value in values.items() if name in known and isinstance(value, int)}
