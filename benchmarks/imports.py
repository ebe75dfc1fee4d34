"""A list of people imported into SQLite by command: time, memory, and how long anybody else has to wait meanwhile.

The yardstick is the least that the same rows can cost: read from the finished database and written into an empty one
of the same schema by bare `sqlite3`, in transactions of as many people, in the same run.

    python -m benchmarks.imports [PEOPLE]
"""

from __future__ import annotations

import csv
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, report

PEOPLE = 20_000 if os.environ.get("QUICK") else 1_000_000
BATCH = 2_000
TOPICS = 20
TABLES = {"subscriber": "id", "endpoint": "subscriber_id", "subscription": "subscriber_id", "schedule": "subscriber_id",
          "consent": "id"}  # fmt: skip
ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Tokyo", "Australia/Sydney")
CADENCES = ("daily at 07:30", "daily at 18:00", "weekly on mon at 08:00", "hourly")
CONFIG = """
[site]
name = "Bench"
[mail]
from = "Bench <bench@bench.example>"
[log]
level = "error"
"""


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds by the clock and of CPU, and the most memory it had, in MB."""

    seconds: float
    cpu: float
    peak: float


def main(people: int = PEOPLE) -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        _furnish(base)
        _write_people(base / "people.csv", people)
        _run(base, "subscribers", "list", "--limit", "1")
        with _Bystander(base / "subscribers.db") as bystander:
            first = _run(base, "subscribers", "import", "people.csv")
        again = _run(base, "subscribers", "import", "people.csv")
        out = _run(base, "subscribers", "export", "people.jsonl")
        least = _least(base)
    report("imports", [*_figures(people, first, again, out, least), *bystander.figures()])


def _figures(people: int, first: Cost, again: Cost, out: Cost, least: Cost) -> list[Figure]:
    def each(seconds: float) -> float:
        return seconds / people * 1e6

    bare = each(least.cpu)
    bar = 4.0 if people >= 100_000 else None  # of fewer, the start of the process is the greater part
    return [
        Figure("people", people, ""),
        Figure("yardstick: the same rows by bare sqlite3", bare, "us CPU each"),
        Figure("import", first.seconds, "s"),
        Figure("import, people per second", people / first.seconds, "/s"),
        Figure("import, per person", each(first.seconds), "us"),
        Figure("import, per person", each(first.cpu), "us CPU each", yardstick=bare, bar=bar),
        Figure("import, peak memory", first.peak, "MB", yardstick=200.0, bar=1.0),
        Figure("the same file again", again.seconds, "s"),
        Figure("the same file again, per person", each(again.cpu), "us CPU each", yardstick=bare),
        Figure("the same file again, peak memory", again.peak, "MB"),
        Figure("export as JSON Lines, per person", each(out.cpu), "us CPU each", yardstick=bare),
        Figure("export as JSON Lines, peak memory", out.peak, "MB"),
    ]


def _furnish(base: Path) -> None:
    topics = "".join(f'[[topics]]\nslug = "t{n}"\nquery = "word{n}"\n' for n in range(TOPICS))
    (base / "config").mkdir()
    (base / "config" / "dispatcher.toml").write_text(CONFIG + topics, encoding="utf-8")


def _write_people(path: Path, people: int) -> None:
    rng = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("email", "name", "timezone", "locale", "topics", "cadence"))
        for number in range(people):
            email = f"{rng.randrange(1 << 24):06x}.reader{number}@mail{rng.randrange(5_000)}.example"
            followed = ", ".join(f"t{topic}" for topic in rng.sample(range(TOPICS), 2))
            zone, locale, cadence = rng.choice(ZONES), rng.choice(("en", "de", "fr")), rng.choice(CADENCES)
            sheet.writerow((email, f"Reader {number}", zone, locale, followed, cadence))


def _run(base: Path, *arguments: str) -> Cost:
    return _cost([sys.executable, "-m", "dispatcher", *arguments], base)


def _cost(command: list[str], base: Path) -> Cost:
    started = time.perf_counter()
    child = subprocess.Popen(command, cwd=base, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _least(base: Path) -> Cost:
    """What copying costs, less what reading alone costs: the rest is writing."""
    this = [sys.executable, "-m", "benchmarks.imports", "--copy", str(base / "subscribers.db")]
    root = Path(__file__).parents[1]
    copied, read = _cost([*this, str(base / "copy.db")], root), _cost(this, root)
    return Cost(copied.seconds - read.seconds, copied.cpu - read.cpu, copied.peak)


def copy(source: str, target: str = "") -> None:
    """Copy all that a list of people became into an empty database; without one, only read it."""
    old = sqlite3.connect(source)
    new = _prepared(old, target) if target else None
    (last,) = old.execute("SELECT max(id) FROM subscriber").fetchone()
    for start in range(0, last, BATCH):
        if new:
            new.execute("BEGIN IMMEDIATE")
        for table, column in TABLES.items():
            which = f"SELECT * FROM {table} WHERE {column} > ? AND {column} <= ?"
            rows = old.execute(which, (start, start + BATCH)).fetchall()
            if new and rows:
                new.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        if new:
            new.execute("COMMIT")


def _prepared(old: sqlite3.Connection, target: str) -> sqlite3.Connection:
    """A database of the same schema, opened as ours is, with the few rows that people's rows point to."""
    new = sqlite3.connect(target, isolation_level=None)
    for word in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000"):
        new.execute(f"PRAGMA {word}")
    for (sql,) in old.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"):
        new.execute(sql)
    for table in ("newsletter", "query", "topic"):
        rows = old.execute(f"SELECT * FROM {table}").fetchall()
        new.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return new


class _Bystander:
    """Somebody else, who writes one row ten times a second meanwhile, as a web request would, and times it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waits: list[float] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> _Bystander:
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._done.set()
        self._thread.join()

    def _write(self) -> None:
        database = sqlite3.connect(self._path, timeout=15, isolation_level=None)
        while not self._done.wait(0.1):
            started = time.perf_counter()
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE counter SET value = value + 1 WHERE name = 'topics'")
            database.execute("COMMIT")
            self._waits.append(time.perf_counter() - started)
        database.close()

    def figures(self) -> list[Figure]:
        waits = sorted(self._waits)
        return [
            Figure("another process's writes meanwhile", len(waits), ""),
            Figure("their median wait", waits[len(waits) // 2] * 1e3, "ms"),
            Figure("their 99th percentile", waits[len(waits) * 99 // 100] * 1e3, "ms"),
            Figure("their longest wait", waits[-1] * 1e3, "ms"),
        ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--copy"]:
        copy(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:2]))
