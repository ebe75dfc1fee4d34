"""The invented paper's articles: data in `stories/*.toml`, read once into frozen values."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

PAPER = "The Larkmere Lantern"


class Outlet(StrEnum):
    """Where an article appears: one of the two feeds, or the folder of desk notes."""

    PAPER = "paper"
    TWINS = "twins"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class SampleArticle:
    """One invented article. `age` is None for those that are published while the demo runs.

    `picture` names a palette of `pictures`, and is empty for an article without one.
    """

    slug: str
    title: str
    standfirst: str
    paragraphs: tuple[str, ...]
    language: str
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    outlet: Outlet = Outlet.PAPER
    age: timedelta | None = None
    picture: str = ""
    picture_alt: str = ""
    published_at: datetime | None = None

    def published(self, at: datetime) -> SampleArticle:
        """The same article with the instant at which it came out."""
        return replace(self, published_at=at)

    def as_text(self) -> str:
        """As a plain text file of a folder source: the first line is the title, the rest the body."""
        return "\n\n".join((self.title, self.standfirst, *self.paragraphs)) + "\n"

    def as_markdown(self) -> str:
        """As a Markdown file of a folder source, with front matter."""
        facts = {"title": self.title, "summary": self.standfirst, "authors": self.authors, "tags": self.tags}
        if self.published_at is not None:
            facts["date"] = self.published_at.isoformat()
        head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items())
        return f"---\n{head}\nlanguage: {self.language}\n---\n" + "\n\n".join(self.paragraphs) + "\n"


@lru_cache(maxsize=1)
def load() -> tuple[SampleArticle, ...]:
    """All articles, in the order of the files; English first."""
    folder = resources.files("dispatcher.demo") / "stories"
    return tuple(
        article for name in ("en", "de", "fr", "es") for article in _read((folder / f"{name}.toml").read_text("utf-8"))
    )


def archive(now: datetime) -> tuple[SampleArticle, ...]:
    """What had come out before `now`, newest first, dated relative to it."""
    past = [a.published(now - a.age) for a in load() if a.age is not None]
    return tuple(sorted(past, key=lambda a: a.published_at or now, reverse=True))


def upcoming() -> tuple[SampleArticle, ...]:
    """What is published while the demo runs; the other languages are spread among the English ones."""
    coming = [a for a in load() if a.age is None]
    paper = [a for a in coming if a.outlet is not Outlet.TWINS]
    twins = [a for a in coming if a.outlet is Outlet.TWINS]
    step = len(paper) // (len(twins) + 1) + 1
    for place, article in enumerate(twins, start=1):
        paper.insert(place * step - 1, article)
    return tuple(paper)


def _read(text: str) -> list[SampleArticle]:
    data = tomllib.loads(text)
    return [_article(row, data["language"]) for row in data["article"]]


def _article(row: dict[str, Any], language: str) -> SampleArticle:
    return SampleArticle(
        slug=row["slug"],
        title=row["title"],
        standfirst=row["standfirst"],
        paragraphs=tuple(row["text"].strip().split("\n\n")),
        language=language,
        authors=tuple(row.get("authors", ())),
        tags=tuple(row.get("tags", ())),
        outlet=Outlet(row.get("outlet", Outlet.PAPER)),
        age=timedelta(hours=row["hours_ago"]) if "hours_ago" in row else None,
        picture=row.get("picture", ""),
        picture_alt=row.get("picture_alt", ""),
    )
