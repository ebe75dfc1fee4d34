"""docs/explanation/guarantees.md names the tests that try to break each promise: they must exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_test_that_the_page_of_guarantees_names_exists() -> None:
    page = (ROOT / "docs" / "explanation" / "guarantees.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    files = (ROOT / "tests").rglob("test_*.py")
    existing = {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text("utf-8"))}
    assert len(named) > 30
    assert sorted(named - existing) == []
