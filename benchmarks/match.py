"""Articles against many saved queries, through the function that ingest calls.

The yardstick T is `re.findall(r"\\w+", text.casefold())` over the same articles in the same run: the least that anybody
does to a text. Queries and articles are invented (see `benchmarks.press`). Articles are measured that the index has not
seen before, after it has read others.

    python -m benchmarks.match [QUERIES ...]
"""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from benchmarks.press import LANGUAGES, articles, newsroom, queries
from benchmarks.report import Figure, report
from dispatcher.pipeline.index_file import read, write
from dispatcher.text.document import Document
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.index import Index
from dispatcher.topics.parser import parse
from dispatcher.topics.postings import candidates

QUICK = bool(os.environ.get("QUICK"))
SIZES = (1_000, 10_000, 50_000) if QUICK else (1_000, 10_000, 100_000, 1_000_000)
READ, MEASURED, ROUNDS = (500, 100, 5) if QUICK else (3_000, 300, 5)
BARS = {100_000: 5.0, 1_000_000: 10.0}  # T an article
NAIVE = 10_000 if QUICK else 100_000  # queries for the naive loop
ADDED = 1000

Work = Callable[[Document], object]
Query = tuple[int, str, str]


def main(sizes: Sequence[int] = SIZES) -> None:
    """Run and report. Every size has a process of its own, so that memory can be told."""
    figures: list[Figure] = []
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        costs: dict[int, float] = {}
        for size in sizes:
            found, costs[size] = pool.apply(measure, (size,))
            figures += found
        many = min(10_000 if QUICK else 100_000, max(sizes))
        found, cost = pool.apply(measure, (many, LANGUAGES))
        figures += found
        figures.append(Figure("ten languages mixed against one", cost, "T", costs.get(many), 1.3))
        figures += pool.apply(measure_frequent, (max(sizes),))
    figures.append(Figure(f"an article at {max(sizes):,} against {min(sizes):,}", costs[max(sizes)], "T",
                          costs[min(sizes)], 3.0))  # fmt: skip
    report("match", figures)


def measure(size: int, languages: Sequence[str] = ("en",)) -> tuple[list[Figure], float]:
    """The figures of one size, and how many T an article costs."""
    room = newsroom(languages)
    texts = list(queries(room, size + ADDED))
    stored, added = texts[:size], texts[size:]
    known, fresh = articles(room, READ), articles(room, MEASURED)
    gc.collect()
    gc.freeze()
    before, started = _memory(), time.process_time()
    index = Index()
    index.add_many(stored)
    built = time.process_time() - started
    for document in known:
        index.match(document)
    index.compact()
    gc.collect()
    occupied = _memory() - before
    gc.freeze()
    yard, whole, sight = _times(fresh, [_yardstick, index.match, index.look])
    seen = [index.look(document).features for document in fresh]
    matches = sum(len(index.match(document)) for document in fresh) / len(fresh)
    looked_at = sum(len(candidates(index.postings, features)) for features in seen) / len(fresh)
    cost, name = median(whole) / median(yard), f"{size:,} queries" + (" in ten languages" if len(languages) > 1 else "")
    slowest = sorted(whole)[int(len(whole) * 0.99)]
    step = median(whole) - median(sight)
    figures = [
        Figure(f"{name}: T", median(yard) * 1e6, "µs"),
        Figure(f"{name}: an article", median(whole) * 1e6, "µs", median(yard) * 1e6, BARS.get(size)),
        Figure(f"{name}: articles a second", len(whole) / sum(whole), "1/s"),
        Figure(f"{name}: 99th percentile", slowest * 1e6, "µs", median(yard) * 1e6, 20.0),
        Figure(f"{name}: matches an article", matches, ""),
        Figure(f"{name}: match step", step * 1e6, "µs"),
        Figure(f"{name}: match step for each match", step * 1e6 / max(matches, 1), "µs"),
        Figure(
            f"{name}: candidates for each match", looked_at / max(matches, 1), "", 1.0, 4.0 if size in BARS else None
        ),
        Figure(f"{name}: built from texts in", built, "s"),
        Figure(f"{name}: memory", occupied, "MB"),
        *_additions(name, index, added, fresh),
        *_warm_start(name, index),
        *(_naive(name, stored, fresh[:5], index) if size == NAIVE and len(languages) == 1 else ()),
    ]
    return figures, cost


def measure_frequent(size: int) -> list[Figure]:
    """Queries of four words that stand in many articles: nothing in them is rare."""
    room = newsroom(["en"])
    index = Index()
    index.add_many(queries(room, size, frequent=True))
    for document in articles(room, READ // 4):
        index.match(document)
    index.compact()
    gc.collect()
    gc.freeze()
    whole, sight = _times(articles(room, MEASURED), [index.match, index.look])
    return [Figure(f"{size:,} queries of four frequent words: match step", (median(whole) - median(sight)) * 1e6, "µs")]


def _additions(name: str, index: Index, added: Sequence[Query], fresh: Sequence[Document]) -> list[Figure]:
    """What it costs to add a query, and to match while some are not yet compacted."""
    costs = []
    for query in added:
        started = time.process_time()
        index.add(*query)
        costs.append(time.process_time() - started)
    yard, whole = _times(fresh, [_yardstick, index.match])
    return [
        Figure(f"{name}: add a query", median(costs) * 1e6, "µs"),
        Figure(f"{name}: an article with {len(added):,} fresh queries", median(whole) * 1e6, "µs", median(yard) * 1e6),
    ]


def _warm_start(name: str, index: Index) -> list[Figure]:
    """Snapshot and back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "topics"
        written = _seconds(lambda: write(path, index))
        size = path.stat().st_size / 1e6
        back = _seconds(lambda: read(path))
    return [
        Figure(f"{name}: snapshot written in", written, "s"),
        Figure(f"{name}: snapshot", size, "MB"),
        Figure(f"{name}: warm start", back, "s"),
    ]


def _naive(name: str, stored: Sequence[Query], fresh: Sequence[Document], index: Index) -> list[Figure]:
    """A loop over compiled queries, which must find the same."""
    plans = [(query_id, compile_query(parse(text), language)) for query_id, text, language in stored]

    def loop(document: Document) -> list[tuple[int, float]]:
        scores = ((query_id, plan.score(document)) for query_id, plan in plans)
        return [(query_id, score) for query_id, score in scores if score is not None]

    for document in fresh:
        found = [(hit.query_id, hit.score) for hit in index.match(document) if hit.query_id <= len(stored)]
        assert found == loop(document), "the index and the naive loop disagree"
    naive, ours = _times(fresh, [loop, index.match], rounds=1)
    return [Figure(f"{name}: the naive loop, in articles of ours", median(naive) / median(ours), "×")]


def _times(documents: Sequence[Document], works: Sequence[Work], rounds: int = ROUNDS) -> list[list[float]]:
    """CPU seconds of each work for each document: the medians of interleaved rounds."""
    taken: list[list[list[float]]] = [[[] for _ in documents] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, taken, strict=True):
            for at, document in enumerate(documents):
                started = time.process_time()
                work(document)
                seconds[at].append(time.process_time() - started)
    return [[median(each) for each in seconds] for seconds in taken]


def _yardstick(document: Document) -> object:
    written = document.written
    return re.findall(r"\w+", f"{written.title} {written.summary} {written.body}".casefold())


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _memory() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
