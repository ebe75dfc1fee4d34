"""The topic index on disk, read at a start and written when it has become another."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from pathlib import Path

from dispatcher.topics.index import Index
from dispatcher.topics.snapshot import pack, unpack

WORTHWHILE = 5000  # queries; fewer are read from their texts as fast


def build(queries: Mapping[int, tuple[str, str]], path: Path | None) -> Index:
    """An index of these queries, from the file if it helps, which is renewed if it no longer helps enough.

    Takes seconds for each hundred thousand queries that the file does not know. No query is believed to be what the
    file says it is unless text and language are the same.
    """
    index = (read(path) if path else None) or Index()
    for query_id in index.slots.keys() - queries.keys():
        index.remove(query_id)
    fresh = [(query_id, *what) for query_id, what in queries.items() if not index.has(query_id, *what)]
    index.add_many(fresh)
    if path and len(fresh) > WORTHWHILE:
        write(path, index)
    return index


def read(path: Path) -> Index | None:
    """The index in a file; None if there is none, or it is torn, or of another version."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return unpack(bytes(data))
    except (OSError, ValueError):  # a missing or an empty file
        return None


def write(path: Path, index: Index) -> None:
    """Put the index into a file, in place of an earlier one; whoever is killed meanwhile leaves that one whole.

    A disk that refuses only makes the next start slower.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            for piece in pack(index):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
