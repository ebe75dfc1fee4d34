"""Ranking: which stories of a digest come first, and which of them its caps leave out.

    picks ▷ by topic, in its order ▷ each topic's own cap ▷ the digest's cap, that leaves no topic without ▷ arranged

The same stories give the same order, on any machine and however they were loaded: what is equal goes by date and by id,
and a score is made of nothing but sums, products and quotients, which are exact to the last bit everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from operator import itemgetter

from dispatcher.model.content import Candidate
from dispatcher.model.values import PLAIN, Order, Style

HALF_RELEVANT = 5.0
"""The match score that counts half of what any can: about a word in the title and one in the text."""

USUAL_PRIORITY = 5
"""That of a source for which none was set; twice as much counts twice as much."""

CROWD = 4
"""Stories of one topic after which its next one counts half, so that a busy topic leaves room for the others."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pick:
    """One story chosen for a reader: the article, the topic it stands under, the others it matches too."""

    candidate: Candidate
    label: str
    others: tuple[str, ...] = ()

    def merit(self, policy: Policy) -> Merit:
        """What speaks for it in a digest that is made so."""
        return Merit.of(self.candidate, policy.at or self.candidate.published_at, policy.period)


@dataclass(frozen=True, slots=True)
class Policy:
    """The publisher's choices: how many stories a digest has, and which come first. `period` is its readers' cadence's:
    news of a week ago is not old in a weekly digest."""

    max_articles: int = 20
    order: str = Order.NEWEST
    at: datetime | None = None
    period: timedelta = _DAY


@dataclass(frozen=True, slots=True)
class Merit:
    """What speaks for a story, each factor from 0 upwards: 1 is what an ordinary one has at best."""

    relevance: float
    freshness: float
    source: float
    echo: float

    @classmethod
    def of(cls, candidate: Candidate, at: datetime, period: timedelta) -> Merit:
        """The merit of a story in a digest of an instant. `echo` rises with the number of sources that tell it."""
        age = max(at - candidate.published_at, timedelta(0))
        return cls(
            relevance=candidate.score / (candidate.score + HALF_RELEVANT),
            freshness=period / (period + age),
            source=candidate.priority / USUAL_PRIORITY,
            echo=2 * candidate.tellers / (candidate.tellers + 1),
        )

    @property
    def score(self) -> float:
        """All of it together."""
        return self.relevance * self.freshness * self.source * self.echo


@dataclass(frozen=True, slots=True)
class Arranged:
    """Picks in reading order, and those that a cap left out: their topic's own, or the digest's, the best first."""

    shown: tuple[Pick, ...]
    over_topic: tuple[Pick, ...] = ()
    over: tuple[Pick, ...] = ()

    @property
    def more(self) -> int:
        """How many were left out."""
        return len(self.over_topic) + len(self.over)


def arrange(
    picks: Iterable[Pick], labels: Sequence[str], policy: Policy, styles: Mapping[str, Style] | None = None
) -> Arranged:
    """Picks under their topics, the topics in the order of `labels`, each as its style or else the policy says.

    The digest's cap keeps at first the best story of each topic, as far as it goes, then the best of the others.
    """
    cap, over_topic = policy.max_articles, list[Pick]()
    if styles or policy.order == Order.RANKED:
        queue = _contested(_sections(picks, labels), policy, styles or {}, over_topic)
    else:
        queue = in_order(picks, policy)
    shown, over = (queue, []) if len(queue) <= cap else _fairly(queue, cap)
    return Arranged(tuple(chain(*_sections(shown, labels).values())), tuple(over_topic), tuple(over))


def in_order(picks: Iterable[Pick], policy: Policy) -> list[Pick]:
    """Picks of all topics, the first in the policy's order in front."""
    return sorted(picks, key=_rank(policy.order, policy))


def _rank(order: str, policy: Policy) -> Callable[[Pick], tuple[float, ...]]:
    """What sorts stories in an order; the lower comes first."""
    if order == Order.NEWEST:
        return lambda pick: (-pick.candidate.published_at.timestamp(), -pick.candidate.article_id)
    if order == Order.RELEVANT:
        return lambda pick: (
            -pick.candidate.score, -pick.candidate.published_at.timestamp(), pick.candidate.article_id,
        )  # fmt: skip
    return lambda pick: (
        -pick.merit(policy).score, -pick.candidate.published_at.timestamp(), pick.candidate.article_id,
    )  # fmt: skip


def _sections(queue: Iterable[Pick], labels: Sequence[str]) -> dict[str, list[Pick]]:
    sections: dict[str, list[Pick]] = {label: [] for label in labels}
    for pick in queue:
        sections[pick.label].append(pick)
    return sections


def _contested(
    sections: Mapping[str, list[Pick]], policy: Policy, styles: Mapping[str, Style], over: list[Pick]
) -> list[Pick]:
    """Stories of all topics as they compete for their places; what their topics' own caps leave out goes to `over`.

    Within a topic nothing goes before what the topic's own order puts in front.
    """
    rank, is_ranked = _rank(policy.order, policy), policy.order == Order.RANKED
    rivals: list[tuple[tuple[float, ...], int, int, Pick]] = []
    for number, (label, picks) in enumerate(sections.items()):
        mine = sorted(((rank(pick), pick) for pick in picks), key=itemgetter(0))
        style = styles.get(label, PLAIN)
        if style.order and style.order != policy.order:
            theirs = _rank(style.order, policy)
            mine.sort(key=lambda one: theirs(one[1]))
        if style.max_articles is not None:
            over += [pick for _, pick in mine[style.max_articles :]]
            del mine[style.max_articles :]
        last: tuple[float, ...] = ()
        for place, (own, pick) in enumerate(mine):
            last = max(last, (own[0] * CROWD / (CROWD + place), *own[1:]) if is_ranked else own)
            rivals.append((last, number, place, pick))
    rivals.sort(key=itemgetter(0, 1, 2))
    return [pick for *_, pick in rivals]


def _fairly(queue: Sequence[Pick], cap: int) -> tuple[Sequence[Pick], Sequence[Pick]]:
    """What a cap keeps of a queue and what not. A story that several topics have is the first of each of them."""
    firsts: list[int] = []
    seen: set[str] = set()
    for place, pick in enumerate(queue):
        if pick.label not in seen or (pick.others and not seen.issuperset(pick.others)):
            firsts.append(place)
            seen.update((pick.label, *pick.others))
    if firsts[-1] < cap:
        return queue[:cap], queue[cap:]
    kept = set(firsts[:cap])
    kept.update(islice((place for place in range(len(queue)) if place not in kept), cap - len(kept)))
    return [queue[n] for n in sorted(kept)], [pick for n, pick in enumerate(queue) if n not in kept]
