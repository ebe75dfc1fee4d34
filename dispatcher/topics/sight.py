"""Sight: which features an article has, and what each is worth there. All work on an article's text is done here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dispatcher.text.document import Document
from dispatcher.text.tokens import joined, tokenise
from dispatcher.topics.columns import Floats, Ints, run_starts
from dispatcher.topics.evaluate import worth
from dispatcher.topics.features import ALWAYS, CODES, FIELDS, Features, Nearby, Trail
from dispatcher.topics.occurrence import windows
from dispatcher.topics.syntax import Field
from dispatcher.topics.table import WATCH, Keys, feature_of
from dispatcher.topics.vocabulary import Reading

_COUNTED = 256  # occurrences in a field up to which their worth is looked up
_REMEMBERED = 50_000  # names

_GAP: Ints = np.zeros(1, np.int32)
_WORTH: Floats = np.array([[0.0, *(worth(field, count) for count in range(1, _COUNTED))] for field in FIELDS]).ravel()


class Sight(NamedTuple):
    """The features of an article, sorted, each once, and what each is worth."""

    features: Ints
    worth: Floats


class Signs(NamedTuple):
    """What stands in an article: signs of words, stems and sequences, each at the place where it starts."""

    signs: Ints
    places: Ints


class Eye:
    """Reads articles for the features of queries. An occurrence is noted as feature × 8 + code of the field."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self._keys: dict[str, str] = {}

    def look(self, document: Document) -> Sight:
        """What is to be seen in an article."""
        written = document.written
        texts = (written.title, written.summary, written.body, *written.tags, *written.authors, *written.sources)
        reading = self.features.vocabulary.read(texts)
        field_of = _codes(len(written.tags), len(written.authors), len(written.sources))
        signs = self._signs(reading, document.stemmed_by)
        code = self.features.code(document.stemmed_by)
        seen = self.features.table.find(signs.signs, len(self.features.vocabulary))
        fields = field_of[reading.text][signs.places][seen.places]
        chosen = _meant(seen.entries, fields, code).nonzero()[0]
        entries, fields = seen.entries[chosen], fields[chosen]
        found = feature_of(entries) << 3 | fields
        others = self._names(document)
        watching = (entries & WATCH).nonzero()[0]
        if len(watching):
            others += _Watcher(self.features, reading, signs, field_of, code).confirmed(found[watching])
            found = np.delete(found, watching)
        return _weighed(np.concatenate([found, np.array(others, np.int64)]))

    def _signs(self, reading: Reading, by: str) -> Signs:
        words, glued = reading.words, reading.glued
        row, places = words, np.arange(len(words), dtype=np.int32)
        if by:  # behind the words, and a gap, the stems: one walk for both
            row = np.concatenate([words, _GAP, self.features.vocabulary.stemmed(words, by)])
            places = np.concatenate([places, _GAP, places])
            glued = None if glued is None else np.concatenate([glued, _GAP.astype(np.bool_), glued])
        found = self.features.sequences.find(row, glued)
        return Signs(np.concatenate([row, found.signs]), np.concatenate([places, places[found.starts]]))

    def _names(self, document: Document) -> list[int]:
        """The features found by whole names, once for each name, and the one of every article."""
        features, written = self.features, document.written
        found = [ALWAYS << 3 | CODES[Field.ANY]]
        spoken = features.names.get((Field.LANG.value, document.language))
        if spoken is not None:
            found.append(spoken << 3 | CODES[Field.LANG])
        for field, names in ((Field.TAG, written.tags), (Field.SOURCE, written.sources)):
            code = CODES[field]
            for key in map(self._key, names):
                named = features.names.get((field.value, key))
                if named is not None:
                    found.append(named << 3 | code)
                found += [feature << 3 | code for feature in features.beginnings_of(key, field)]
        return found

    def _key(self, name: str) -> str:
        key = self._keys.get(name)
        if key is None:
            if len(self._keys) > _REMEMBERED:
                self._keys.clear()
            key = self._keys[name] = joined(tokenise(name))
        return key


def _codes(tags: int, authors: int, sources: int) -> Ints:
    """The field of each text that is read, and of the gap behind the last."""
    many = (Field.TAG,) * tags + (Field.AUTHOR,) * authors + (Field.SOURCE,) * sources
    return np.array([CODES[field] for field in (Field.TITLE, Field.SUMMARY, Field.BODY, *many, Field.ANY)], np.int32)


def _meant(entries: Keys, fields: Ints, code: int) -> Keys:
    """Not 0 for the entries that are meant for these fields, and for articles stemmed by this algorithm."""
    meant: Keys = entries >> fields & 1
    if code:
        meant &= (entries >> 8 & 0xFF) != code
    return meant


def _weighed(found: Keys) -> Sight:
    """Occurrences, as feature × 8 + field, counted for each field, and their worth summed for each feature."""
    found.sort()
    starts = run_starts(found)
    counts = np.empty(len(starts), np.int64)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1] = len(found) - starts[-1]
    distinct = found[starts]
    features, fields = (distinct >> 3).astype(np.int32), distinct & 7
    values = _WORTH.take(fields * _COUNTED + np.minimum(counts, _COUNTED - 1))
    for often in (counts >= _COUNTED).nonzero()[0].tolist():
        values[often] = worth(FIELDS[int(fields[often])], int(counts[often]))
    firsts = run_starts(features)
    return Sight(features[firsts], np.add.reduceat(values, firsts))


class _Watcher:
    """Looks closely at what a sign alone cannot tell."""

    def __init__(self, features: Features, reading: Reading, signs: Signs, field_of: Ints, code: int) -> None:
        self.features, self.reading, self.signs, self.field_of, self.code = features, reading, signs, field_of, code
        self._places: dict[int, list[int]] = {}

    def confirmed(self, found: Keys) -> list[int]:
        """Of suspected occurrences, as feature × 8 + field, those that are there: all of each feature."""
        fields_of: dict[int, set[int]] = {}
        for one in set(found.tolist()):
            fields_of.setdefault(one >> 3, set()).add(one & 7)
        occurring: list[int] = []
        for feature, fields in fields_of.items():
            watch = self.features.watches[feature]
            starts = self._near(watch) if isinstance(watch, Nearby) else self._trails(watch)
            codes = (int(self.field_of[self.reading.text[start]]) for start in starts)
            occurring += [feature << 3 | code for code in codes if code in fields]
        return occurring

    def _near(self, watch: Nearby) -> Iterator[int]:
        """Where windows with all groups start, text by text."""
        is_stemmed = watch.by != 0 and watch.by == self.code
        places = [self._places_of(group.stem if is_stemmed else group.sign) for group in watch.groups]
        if not all(places):
            return
        lengths = [group.length for group in watch.groups]
        for start, end in self._texts(min(places, key=len)):
            inside = [here[bisect_left(here, start) : bisect_right(here, end)] for here in places]
            yield from (first for first, _ in windows(inside, lengths, watch.distance))

    def _texts(self, places: Sequence[int]) -> Iterator[tuple[int, int]]:
        """First and last place of each text that one of these places is in."""
        text_at = self.reading.text
        for text in sorted({int(text_at[place]) for place in places}):
            yield int(np.searchsorted(text_at, text)), int(np.searchsorted(text_at, text, "right")) - 1

    def _trails(self, watch: Trail) -> Iterator[int]:
        words, glued = self.reading.words, self.reading.glued
        for start in self._places_of(watch.group.sign):
            end = start + watch.group.length
            if end < len(words) and self.features.vocabulary.spelt[words[end]].startswith(watch.prefix):
                if watch.is_glued and (glued is None or not glued[end]):
                    continue
                yield start

    def _places_of(self, sign: int) -> list[int]:
        places = self._places.get(sign)
        if places is None:
            places = self._places[sign] = np.sort(self.signs.places[self.signs.signs == sign]).tolist()
        return places
