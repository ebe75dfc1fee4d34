"""Composing: a digest of 20 known articles made from fragments, against rendering it whole."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report import Figure


def figures(rounds: int, count: int) -> Iterator[Figure]:
    """One digest's share of composing many, against a full render of it."""
    yield from ()
