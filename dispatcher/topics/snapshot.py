"""Snapshots: an index as bytes and back, so that a restart need not read a million queries anew.

    magic · length of the heading · heading (JSON) · arrays · digest of all before it

A snapshot is believed only whole and from the same analyser. What the heading holds are numbers and words, never code.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dispatcher.topics import clauses
from dispatcher.topics.clauses import Step
from dispatcher.topics.columns import Column
from dispatcher.topics.features import Group, Nearby, Trail, Watch
from dispatcher.topics.index import Index
from dispatcher.topics.postings import post
from dispatcher.topics.sequences import Edges, merged
from dispatcher.topics.sheaf import EMPTY, Sheaf

FORMAT = 1  # to be raised with every change to what is stored, or to what a word, a stem or a feature is
_MAGIC = b"dispatcher index of topics\n    \n"  # as many bytes as keep the arrays aligned
_ALIGNED = 8
_DIGEST = 32
_COLUMNS = {"seen": np.float32, "guess": np.float32}


def pack(index: Index) -> Iterator[bytes]:
    """The index as bytes, in pieces. Compacts it."""
    index.compact()
    values, arrays = _state(index)
    shapes = [[name, array.dtype.str, len(array)] for name, array in arrays.items()]
    heading = _padded(json.dumps({"made_by": _made_by(), "arrays": shapes, "values": values}).encode(), b" ")
    digest = blake2b(digest_size=_DIGEST)
    rows = (_padded(array.tobytes(), b"\0") for array in arrays.values())
    for piece in (_MAGIC, len(heading).to_bytes(8, "big"), heading, *rows):
        digest.update(piece)
        yield piece
    yield digest.digest()


def unpack(data: bytes | memoryview) -> Index | None:
    """The index that was packed; None for anything that is not exactly that, or was made by another analyser."""
    view = memoryview(data)
    body, trailer = view[:-_DIGEST], view[-_DIGEST:]
    start = len(_MAGIC) + 8
    if view[: len(_MAGIC)] != _MAGIC or blake2b(body, digest_size=_DIGEST).digest() != trailer:
        return None
    end = start + int.from_bytes(view[len(_MAGIC) : start], "big")
    heading = json.loads(bytes(view[start:end]))
    if heading["made_by"] != _made_by():
        return None
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, length in heading["arrays"]:
        arrays[name] = np.frombuffer(body, kind, length, end)
        end += -(-arrays[name].nbytes // _ALIGNED) * _ALIGNED
    return _restored(heading["values"], arrays)


def _padded(piece: bytes, by: bytes) -> bytes:
    return piece + by * (-len(piece) % _ALIGNED)


def _made_by() -> list[Any]:
    """Everything that the meaning of a stored number hangs on."""
    return [FORMAT, sys.byteorder, unicodedata.unidata_version, version("pystemmer")]


def _state(index: Index) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    features, vocabulary = index.features, index.features.vocabulary
    held = np.frombuffer(bytes(vocabulary.held), np.uint8)
    signs, entries = features.table.frozen()
    lasting = held[signs] == 1
    edges = merged(*features.sequences.frozen())
    arrays: dict[str, NDArray[Any]] = {
        "held": held,
        "words": _held(vocabulary.words.values(), held),
        "edge_keys": edges.keys,
        "edge_ends": edges.ends,
        "entry_signs": signs[lasting],
        "entries": entries[lasting],
        "seen": features.seen.values,
        "guess": features.guess.values,
        "query_ids": index.query_ids.values,
        "marks": index.marks.values,
        "is_dead": index.is_dead.values,
        **_pairs("signs", features.signs),
        **_pairs("glued", features.sequences.glued),
        **{f"stems {by}": _held(known.values(), held) for by, known in vocabulary.stems.items()},
        **{f"sheaf {name}": row for name, row in zip(Sheaf._fields, index.postings.sheaf, strict=True)},
    }
    spelt = (text if is_held else "" for text, is_held in zip(vocabulary.spelt, vocabulary.held, strict=True))
    values = {
        "spelt": "\n".join(spelt),
        "stems": list(vocabulary.stems),
        "algorithms": features.algorithms,
        "articles": features.articles,
        "watches": [[feature, *_written(watch)] for feature, watch in features.watches.items()],
        "programs": [[slot, _spelt(step)] for slot, step in index.programs.steps],
        **{name: [[*key, feature] for key, feature in getattr(features, name).items()] for name in _LEAVES},
    }
    return values, arrays


_LEAVES = ("names", "beginnings", "prefixes", "watched")


def _restored(values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Index:
    index = Index()
    features = index.features
    features.vocabulary.restore(
        values["spelt"].split("\n"), arrays["held"], arrays["words"],
        {by: arrays[f"stems {by}"] for by in values["stems"]},
    )  # fmt: skip
    edges = Edges(arrays["edge_keys"], arrays["edge_ends"])
    features.sequences.restore(edges, _mapping("glued", arrays))
    features.table.restore(arrays["entry_signs"], arrays["entries"])
    features.seen, features.guess = (Column(kind, values=arrays[name]) for name, kind in _COLUMNS.items())
    features.articles, features.algorithms = values["articles"], values["algorithms"]
    features.signs = _mapping("signs", arrays)
    for name in _LEAVES:
        setattr(features, name, {tuple(key): feature for *key, feature in values[name]})
    features.watches = {feature: _watch(written) for feature, *written in values["watches"]}
    features.index_prefixes()
    index.restore(arrays["query_ids"], arrays["is_dead"], arrays["marks"])
    sheaf = Sheaf(*(arrays[f"sheaf {name}"] for name in EMPTY._fields))
    index.postings = post(sheaf, features.frequency())
    for slot, step in values["programs"]:
        index.programs.add(slot, _step(step), features.frequency_of)
    return index


def _held(signs: Iterable[int], held: NDArray[np.uint8]) -> NDArray[np.int32]:
    every = np.array(list(signs), np.int32)
    chosen: NDArray[np.int32] = every[held[every] == 1]
    return chosen


def _pairs(name: str, mapping: dict[int, int]) -> dict[str, NDArray[Any]]:
    count = len(mapping)
    return {f"{name} keys": np.fromiter(mapping.keys(), np.int64, count),
            f"{name} values": np.fromiter(mapping.values(), np.int32, count)}  # fmt: skip


def _mapping(name: str, arrays: dict[str, NDArray[Any]]) -> dict[int, int]:
    return dict(zip(arrays[f"{name} keys"].tolist(), arrays[f"{name} values"].tolist(), strict=True))


def _written(watch: Watch) -> list[Any]:
    match watch:
        case Nearby(groups, distance, by):
            return ["near", [[group.sign, group.stem, group.length] for group in groups], distance, by]
        case Trail(group, prefix, is_glued):
            return ["trail", [group.sign, group.stem, group.length], prefix, is_glued]


def _watch(written: list[Any]) -> Watch:
    match written:
        case ["near", groups, distance, by]:
            return Nearby(tuple(Group(*group) for group in groups), distance, by)
        case [_, group, prefix, is_glued]:
            return Trail(Group(*group), prefix, is_glued)
    raise ValueError(f"no watch is written as {written!r}")


def _spelt(step: Step) -> Any:
    match step:
        case clauses.Every(children):
            return ["every", *map(_spelt, children)]
        case clauses.Any(children):
            return ["any", *map(_spelt, children)]
        case clauses.Without(feature):
            return ["without", feature]
        case _:
            return step


def _step(spelt: Any) -> Step:
    match spelt:
        case ["every", *children]:
            return clauses.Every(tuple(map(_step, children)))
        case ["any", *children]:
            return clauses.Any(tuple(map(_step, children)))
        case ["without", feature]:
            return clauses.Without(feature)
        case _:
            return int(spelt)
