"""Tales: articles as digests tell them, each read once by this process and read again when it has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from dispatcher.digest import compose
from dispatcher.digest.fragments import Told
from dispatcher.model.content import Story
from dispatcher.store import Transaction, articles, sources

MOST, MOST_WHOLE = 5_000, 500
"""Stories in memory, and those with all of their text; then they are read again as they are needed."""


class Tales:
    """The stories of this process."""

    def __init__(self) -> None:
        self._look: tuple[object, ...] = ()
        self._length = 0
        self._versions: dict[int, tuple[int, datetime | None]] = {}
        self._stories: dict[int, Story] = {}
        self._bodies: dict[int, tuple[str, str]] = {}
        self._told: dict[int, Told] = {}
        self._told_otherwise: dict[tuple[int, tuple[str, ...], int | None], Told] = {}

    async def look_up(
        self, tx: Transaction, ids: Iterable[int], *, summary_length: int, whole: Collection[int] = ()
    ) -> None:
        """Make sure that these articles are known as they are now, told with so much of their summaries; `whole` names
        those of which all of the text is wanted.

        To be called by one at a time, who has told what it wants before the next one calls.
        """
        wanted = sorted(set(ids))
        look = (summary_length, *[(source.id, source.name) for source in await sources.every(tx)])
        is_full = len(self._told) + len(self._told_otherwise) > MOST or len(self._bodies) > MOST_WHOLE
        if look != self._look or is_full:
            self._forget()
            self._look, self._length = look, summary_length
        now = await articles.versions(tx, wanted)
        changed = [i for i in wanted if self._versions.get(i) != now.get(i) or (i in whole and i not in self._bodies)]
        if not changed:
            return
        self._drop(changed)
        found, first = await articles.by_ids(tx, changed), await articles.source_names(tx, changed)
        for article_id, article in found.items():
            self._versions[article_id] = now[article_id]
            source = first[article_id][0] if first[article_id] else ""
            self._stories[article_id] = compose.story(article, source)
            if article_id in whole:
                self._bodies[article_id] = compose.body(article)

    def tell(self, article_id: int, others: Sequence[str], length: int | None = None) -> Told | None:
        """An article as a story, for readers of whose other topics these match; None for one that is gone.

        `length`: with so many characters of its summary rather than as all others, or WHOLE.
        """
        if not others and length is None:
            found = self._told.get(article_id)
            if found is None and (story := self._stories.get(article_id)):
                found = self._told[article_id] = Told(compose.shortened(story, self._length))
            return found
        key = article_id, tuple(others), length
        found = self._told_otherwise.get(key)
        if found is None and (story := self._stories.get(article_id)):
            found = self._told_otherwise[key] = Told(replace(self._as_long(article_id, story, length), also_in=key[1]))
        return found

    def _as_long(self, article_id: int, story: Story, length: int | None) -> Story:
        if length != compose.WHOLE:
            return compose.shortened(story, self._length if length is None else length)
        body, html = self._bodies.get(article_id, ("", ""))
        return replace(story, body=body, body_html=html)

    def _drop(self, ids: Sequence[int]) -> None:
        gone = set(ids)
        for article_id in gone:
            for known in (self._versions, self._stories, self._bodies, self._told):
                known.pop(article_id, None)
        for key in [key for key in self._told_otherwise if key[0] in gone]:
            del self._told_otherwise[key]

    def _forget(self) -> None:
        for known in (self._versions, self._stories, self._bodies, self._told, self._told_otherwise):
            known.clear()
