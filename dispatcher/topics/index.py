"""The index: all stored queries, asked of one article at once. A percolator.

    article ──sight──▶ features it has ──┬─ postings   nearly all queries, on arrays
                                         ├─ annexes    those added since the last compaction
                                         └─ programs   those too deep for arrays          ──▶ hits

The cost of an article hardly grows with the number of queries: see docs/explanation/percolator.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dispatcher.errors import QueryError
from dispatcher.text.document import Document
from dispatcher.topics.annex import Annex, Programs
from dispatcher.topics.canonical import simplify
from dispatcher.topics.clauses import Choice, parts
from dispatcher.topics.columns import Column, Flags, Floats, run_starts
from dispatcher.topics.compaction import Compaction, prepare
from dispatcher.topics.features import Features
from dispatcher.topics.parser import parse
from dispatcher.topics.postings import NONE, Presence, Scores, ask
from dispatcher.topics.sight import Eye, Sight
from dispatcher.topics.syntax import Node

_MOST_UNLISTED = 20_000  # choices; rather than list more of them, an article waits for a compaction
_LEARNT = 500  # articles after which the first guesses at what is rare are worth replacing


class Hit(NamedTuple):
    """A query that an article matches, and how well."""

    query_id: int
    score: float


class Hits(Sequence[Hit]):
    """Hits in the order of their queries' ids, as two arrays."""

    def __init__(self, query_ids: NDArray[np.int64], scores: Floats) -> None:
        self.query_ids = query_ids
        self.scores = scores

    def __len__(self) -> int:
        return len(self.query_ids)

    def __iter__(self) -> Iterator[Hit]:
        return map(Hit, self.query_ids.tolist(), self.scores.tolist())

    @overload
    def __getitem__(self, at: int) -> Hit: ...

    @overload
    def __getitem__(self, at: slice) -> Hits: ...

    def __getitem__(self, at: int | slice) -> Hit | Hits:
        if isinstance(at, slice):
            return Hits(self.query_ids[at], self.scores[at])
        return Hit(int(self.query_ids[at]), float(self.scores[at]))


class Index:
    """Stored queries by id. `broken` holds those that do not parse, with the reason; they match nothing.

    All methods belong to one thread; only `Compaction.run` may be called in another.
    """

    def __init__(self) -> None:
        self.broken: dict[int, str] = {}
        self.features = Features()
        self.postings = NONE
        self.annexes = [Annex()]
        self.programs = Programs()
        self.slots: dict[int, int] = {}
        self.query_ids, self.is_dead, self.marks = Column(np.int64), Column(np.uint8), Column(np.uint32)
        self._free: list[int] = []
        self._presence = Presence()
        self._eye = Eye(self.features)
        self._turn = 0
        self._next_lesson = float(_LEARNT)

    def __len__(self) -> int:
        """The number of queries that can match."""
        return len(self.slots)

    def __contains__(self, query_id: object) -> bool:
        """Whether a query is here and can match."""
        return query_id in self.slots

    def add(self, query_id: int, text: str, language: str) -> None:
        """Add a query, in place of any earlier one of this id. Never raises: see `broken`."""
        self.remove(query_id)
        try:
            node = simplify(parse(text))
        except QueryError as error:
            self.broken[query_id] = str(error)
        else:
            self._add(query_id, node, language)
            self.marks.data[self.slots[query_id]] = _mark(text, language)

    def add_many(self, queries: Iterable[tuple[int, str, str]]) -> None:
        """Add queries, each as its id, text and language, and make them ready."""
        for query_id, text, language in queries:
            self.add(query_id, text, language)
        self.compact()

    def remove(self, query_id: int) -> None:
        """Forget a query, if it is here."""
        self.broken.pop(query_id, None)
        slot = self.slots.pop(query_id, None)
        if slot is not None:
            self.is_dead.data[slot] = 1

    def has(self, query_id: int, text: str, language: str) -> bool:
        """Whether a query is here, as this text in this language."""
        slot = self.slots.get(query_id)
        return slot is not None and int(self.marks.data[slot]) == _mark(text, language)

    def match(self, document: Document) -> Hits:
        """Every query that the article matches, by id. The index learns from it what is rare."""
        sight = self.look(document)
        self.features.learn(sight.features)
        presence, features = self._presence, sight.features
        presence.show(features, sight.worth, len(self.features))
        try:
            frequency = self.features.frequency_of
            found = [ask(self.postings, features, presence), self.programs.ask(features, presence)]
            found += [annex.ask(features, presence, frequency) for annex in self.annexes]
        finally:
            presence.clear(features)
        return self._hits(found)

    def look(self, document: Document) -> Sight:
        """What of an article its answer hangs on: the text work of `match`, and nothing else."""
        self._make_room()
        return self._eye.look(document)

    @property
    def is_due(self) -> bool:
        """Whether a compaction would be worth its time."""
        waiting, dead = self._waiting, self.query_ids.count - len(self._free) - len(self.slots)
        return (
            waiting > max(1000, len(self) // 50)
            or self.features.table.fresh > _MOST_UNLISTED
            or dead > max(1000, len(self) // 4)
            or (len(self) > 0 and self.features.articles >= self._next_lesson)
        )

    def compaction(self) -> Compaction:
        """Begin a compaction: run it, in a thread if you like, and hand it to `finish`. Only the last one counts."""
        self._turn += 1
        annexes = tuple(self.annexes)
        self.annexes.append(Annex())
        is_dying = self.is_dead.values.copy()
        is_dying[self._free] = 0  # these may come to life meanwhile
        return prepare(self._turn, self.postings, annexes, is_dying, self.features)

    def finish(self, done: Compaction) -> bool:
        """Put the result of a compaction in place, if it is still wanted."""
        if done.turn != self._turn or done.result is None:
            return False
        self._turn += 1  # once is enough
        self.postings = done.result.postings
        self.features.table.settle(done.result.entries)
        self.features.sequences.settle(done.result.edges)
        self.annexes = [annex for annex in self.annexes if annex not in done.annexes]
        self._bury(np.flatnonzero(done.is_dead).tolist())
        self._next_lesson = max(self._next_lesson, 10 * self.features.articles)
        return True

    def compact(self) -> None:
        """A whole compaction, here and now."""
        compaction = self.compaction()
        compaction.run()
        self.finish(compaction)

    def forget(self) -> None:
        """Forget the words of articles that no query holds; done by itself when they are many."""
        self._turn += 1  # a compaction under way has copied what is now forgotten
        self.features.forget_idle()

    def restore(self, query_ids: NDArray[np.int64], is_dead: Flags, marks: NDArray[np.uint32]) -> None:
        """Have these queries in these slots."""
        self.query_ids, self.is_dead = Column(np.int64, values=query_ids), Column(np.uint8, values=is_dead)
        self.marks = Column(np.uint32, values=marks)
        self.slots = {query_id: slot for slot, query_id in enumerate(query_ids.tolist()) if not is_dead[slot]}
        self._free = np.flatnonzero(is_dead).tolist()
        self._next_lesson = max(self._next_lesson, 10 * self.features.articles)

    @property
    def _waiting(self) -> int:
        return sum(map(len, self.annexes))

    def _add(self, query_id: int, node: Node, language: str) -> None:
        slot = self._take_slot(query_id)
        features = self.features
        for part in parts(node, lambda leaf: features.of(leaf, language)):
            if isinstance(part, Choice):
                self.annexes[-1].gathering.add(slot, part)
            else:
                self.programs.add(slot, part, features.frequency_of)

    def _take_slot(self, query_id: int) -> int:
        if self._free:
            slot = self._free.pop()
            self.query_ids.data[slot], self.is_dead.data[slot] = query_id, 0
        else:
            slot = self.query_ids.append(query_id)
            self.is_dead.append(0)
            self.marks.append(0)
        self.slots[query_id] = slot
        return slot

    def _bury(self, dead: list[int]) -> None:
        """Let slots be used again that nothing refers to any more."""
        if dead:
            self.programs = self.programs.without(frozenset(dead), self.features.frequency_of)
            self._free += dead

    def _make_room(self) -> None:
        """What has to be done before an article can be read."""
        if self.features.vocabulary.is_full:
            self.forget()
        if sum(annex.unlisted for annex in self.annexes) > _MOST_UNLISTED:
            self.compact()

    def _hits(self, found: list[Scores]) -> Hits:
        """The scores of slots that are not dead, summed by query."""
        slots = np.concatenate([one.slots for one in found])
        alive = self.is_dead.data[slots] == 0
        query_ids = self.query_ids.data[slots[alive]]
        if not len(query_ids):
            return Hits(query_ids, np.empty(0))
        order = np.argsort(query_ids)
        query_ids = query_ids[order]
        starts = run_starts(query_ids)
        scores = np.concatenate([one.worth for one in found])[alive][order]
        return Hits(query_ids[starts], np.add.reduceat(scores, starts))


def _mark(text: str, language: str) -> int:
    """By which a stored query is known again."""
    return crc32(f"{language} {text}".encode("utf-8", "surrogatepass"))
