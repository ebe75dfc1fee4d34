"""`topics stats`: what the topics find, and which are not worth having as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.cli.options import Json
from dispatcher.cli.session import run, store

if TYPE_CHECKING:
    from dispatcher.pipeline.census import Census

_SHOWN = 20  # pairs of topics that are alike; JSON has all


def stats(json: Json = False) -> None:
    """Say what each topic found week by week, and which find nothing, everything or the same."""
    run(_stats(json=json))


async def _stats(*, json: bool) -> None:
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.pipeline.census import census

    async with store() as opened:
        found = await census(opened, clock.now())
    if json:
        show.as_json(found)
    else:
        _print(found)


def _print(found: Census) -> None:
    from dispatcher.cli import show

    show.table(
        f"matches a week, in {found.articles} articles",
        ("slug", "this week", "1 ago", "2 ago", "3 ago", "share", "paused"),
        [(topic.slug, *map(str, topic.weeks), f"{topic.share:.1%}", topic.is_paused) for topic in found.topics],
        empty="no topics yet; add one with `dispatcher topics add SLUG QUERY` or in config/topics.toml",
    )
    if found.silent:
        show.say(f"never matched anything: {', '.join(found.silent)}")
    if found.greedy:
        show.say(f"match at least half of all articles: {', '.join(found.greedy)}")
    for slugs in found.same:
        show.say(f"ask the same: {', '.join(slugs)}")
    for pair in found.alike[:_SHOWN]:
        show.say(f"find nearly the same ({pair.likeness:.0%}): {pair.first}, {pair.second}")
    if len(found.alike) > _SHOWN:
        show.say(f"and {len(found.alike) - _SHOWN} more pairs; --json has them all")
