"""Tales: articles as digests tell them, each read once by this process and read again when it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from dispatcher.digest import compose
from dispatcher.digest.fragments import Told
from dispatcher.model.content import Story
from dispatcher.store import Transaction, articles, sources

MOST = 5_000
"""Stories in memory; then they are read again as they are needed."""


class Tales:
    """The stories of this process."""

    def __init__(self) -> None:
        self._look: tuple[object, ...] = ()
        self._versions: dict[int, tuple[int, datetime | None]] = {}
        self._stories: dict[int, Story] = {}
        self._told: dict[int, Told] = {}
        self._told_beside: dict[tuple[int, tuple[str, ...]], Told] = {}

    async def look_up(self, tx: Transaction, ids: Iterable[int], *, summary_length: int) -> None:
        """Make sure that these articles are known as they are now, with so much of their summaries.

        To be called by one at a time, who has told what it wants before the next one calls.
        """
        wanted = sorted(set(ids))
        look = (summary_length, *[(source.id, source.name) for source in await sources.every(tx)])
        if look != self._look or len(self._told) + len(self._told_beside) > MOST:
            self._forget()
            self._look = look
        now = await articles.versions(tx, wanted)
        changed = [article_id for article_id in wanted if self._versions.get(article_id) != now.get(article_id)]
        if not changed:
            return
        self._drop(changed)
        found, first = await articles.by_ids(tx, changed), await articles.source_names(tx, changed)
        for article_id, article in found.items():
            self._versions[article_id] = now[article_id]
            source = first[article_id][0] if first[article_id] else ""
            self._stories[article_id] = compose.story(article, source, summary_length)

    def tell(self, article_id: int, others: Sequence[str]) -> Told | None:
        """An article as a story, for readers of whose other topics these match; None for one that is gone."""
        if not others:
            found = self._told.get(article_id)
            if found is None and (story := self._stories.get(article_id)):
                found = self._told[article_id] = Told(story)
            return found
        key = article_id, tuple(others)
        found = self._told_beside.get(key)
        if found is None and (story := self._stories.get(article_id)):
            found = self._told_beside[key] = Told(replace(story, also_in=key[1]))
        return found

    def _drop(self, ids: Sequence[int]) -> None:
        gone = set(ids)
        for article_id in gone:
            for known in (self._versions, self._stories, self._told):
                known.pop(article_id, None)
        for key in [key for key in self._told_beside if key[0] in gone]:
            del self._told_beside[key]

    def _forget(self) -> None:
        for known in (self._versions, self._stories, self._told, self._told_beside):
            known.clear()
