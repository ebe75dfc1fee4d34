"""How a benchmark reports: a table on the screen, and benchmarks/results/NAME.json beside it."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One figure. `bar` is what `value / yardstick` should not exceed; None where there is no bar yet."""

    name: str
    value: float
    unit: str
    yardstick: float | None = None
    bar: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure in units of its yardstick."""
        return self.value / self.yardstick if self.yardstick else None

    @property
    def ok(self) -> bool | None:
        """Whether the bar holds; None without one."""
        return None if self.bar is None or self.ratio is None else self.ratio <= self.bar


def report(bench: str, figures: Sequence[Figure]) -> None:
    """Print the figures and write them as JSON."""
    machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
    print(f"{bench}: {machine}")
    for figure in figures:
        ratio = f"{figure.ratio:8.2f} × yardstick" if figure.ratio is not None else ""
        bar = f"  bar {figure.bar:g}: {'ok' if figure.ok else 'missed'}" if figure.bar is not None else ""
        print(f"  {figure.name:48} {figure.value:10.3f} {figure.unit:12} {ratio}{bar}")
    RESULTS.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    found = {
        "bench": bench,
        "commit": commit.stdout.strip(),
        "machine": machine,
        "figures": [{**asdict(figure), "ok": figure.ok} for figure in figures],
    }
    (RESULTS / f"{bench}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
