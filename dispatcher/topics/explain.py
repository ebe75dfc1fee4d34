"""Explanation: why an article matches a query, or what it lacks. Values only; the CLI and the API show them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from dispatcher.text.document import Document, Passage
from dispatcher.topics.canonical import write
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.occurrence import Occurrence
from dispatcher.topics.parser import parse
from dispatcher.topics.syntax import And, Field, Leaf, Node, Not, Or, leaves

_AROUND = 60  # characters of context before and behind a snippet's first hit
_LONGEST = 240  # characters of a snippet
_BLANKS = str.maketrans("\n\r\t\v\f\u2028\u2029", "       ")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a field's original text. `spans` are (start, end) in `text`: what to highlight.

    The text has … where it was cut, and blanks for line breaks.
    """

    field: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def parts(self) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether it is to be highlighted."""
        end = 0
        for start, stop in self.spans:
            if start > end:
                yield self.text[end:start], False
            yield self.text[start:stop], True
            end = stop
        if end < len(self.text):
            yield self.text[end:], False


@dataclass(frozen=True, slots=True)
class LeafLine:
    """One leaf of the query: found or not, how often in which field, and where."""

    text: str
    is_hit: bool
    is_negated: bool
    counts: tuple[tuple[str, int], ...] = ()
    snippets: tuple[Snippet, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why?". For a non-match, `missing` are the parts of the query that nothing was found for, and
    `forbidden` the leaves behind a minus that were found though they must not be."""

    matched: bool
    score: float | None
    leaves: tuple[LeafLine, ...]
    missing: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class Blame(NamedTuple):
    """What an article lacks, and what it has though it must not."""

    missing: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


def explain(text: str, document: Document, language: str, *, article: Mapping[str, str]) -> Explanation:
    """Why a query written in `language` matches the document, or why it does not. Raises QueryError.

    `article` holds the texts that were analysed, by field: title, summary, body. One left out gives no snippets.
    """
    plan = compile_query(parse(text), language)
    found = {leaf: probe.find(document) for leaf, probe in plan.probes.items()}
    negated = set(_negated(plan.node))
    lines = tuple(
        _line(leaf, found[leaf], leaf in negated, document, article)
        for leaf in sorted(plan.probes, key=lambda leaf: leaf.at)
    )
    score = plan.score(document)
    lack = blame(plan.node, {leaf for leaf in found if found[leaf]})
    return Explanation(score is not None, score, lines, lack.missing, lack.forbidden)


def _negated(node: Node) -> Iterator[Leaf]:
    match node:
        case And(children) | Or(children):
            for child in children:
                yield from _negated(child)
        case Not(child):
            yield from leaves(child)


def blame(node: Node, found: Collection[Leaf]) -> Blame:
    """What keeps an article, in which these leaves are found, from matching this part of the query: nothing if it does.

    Of an OR that fails the whole is missing, unless one of its parts would do but for what it forbids.
    """
    match node:
        case And(children):
            return _together([blame(child, found) for child in children])
        case Or(children):
            blames = [blame(child, found) for child in children]
            but_for = [one for one in blames if not one.missing]
            if not but_for:
                return Blame(missing=(write(node),))
            return Blame() if Blame() in but_for else _together(but_for)
        case Not(child):
            return Blame(forbidden=(write(child),)) if child in found else Blame()
        case _:
            return Blame() if node in found else Blame(missing=(write(node),))


def _together(blames: list[Blame]) -> Blame:
    """All of these, each part once."""
    missing = dict.fromkeys(text for blame in blames for text in blame.missing)
    forbidden = dict.fromkeys(text for blame in blames for text in blame.forbidden)
    return Blame(tuple(missing), tuple(forbidden))


def _line(
    leaf: Leaf, found: list[Occurrence], is_negated: bool, document: Document, article: Mapping[str, str]
) -> LeafLine:
    by_place = [list(group) for _, group in groupby(found, key=lambda hit: (hit.field, hit.which))]
    counts: dict[str, int] = {}
    for hit in found:
        if hit.field:
            counts[hit.field.value] = counts.get(hit.field.value, 0) + 1
    snippets = (_snippet(hits, document, article) for hits in by_place)
    return LeafLine(
        write(leaf), bool(found), is_negated, tuple(counts.items()), tuple(snippet for snippet in snippets if snippet)
    )


def _snippet(hits: list[Occurrence], document: Document, article: Mapping[str, str]) -> Snippet | None:
    """The text around the first of some hits in one place, with all of them that it holds highlighted."""
    field, which, first, _ = hits[0]
    if field is Field.LANG:
        return Snippet(field.value, document.language, ((0, len(document.language)),))
    text, passage = _original(field, which, document, article)
    if not text:
        return None
    if first < 0:  # a whole name
        return Snippet(field.value, text.translate(_BLANKS), ((0, len(text)),))
    spans = [(passage.tokens[hit.first].start, passage.tokens[hit.last].end) for hit in hits]
    return _excerpt(field, text, _apart(spans))


def _original(field: Field, which: int, document: Document, article: Mapping[str, str]) -> tuple[str, Passage]:
    match field:
        case Field.TAG | Field.AUTHOR | Field.SOURCE:
            names = {Field.TAG: document.tags, Field.AUTHOR: document.authors, Field.SOURCE: document.sources}[field]
            return names[which].text, names[which].passage
        case _:
            passage = {Field.SUMMARY: document.summary, Field.BODY: document.body}.get(field, document.title)
            return article.get(field.value, ""), passage


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, overlapping ones made one."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _excerpt(field: Field, text: str, spans: list[tuple[int, int]]) -> Snippet:
    """At most _LONGEST characters of the text, cut at blanks where there are any."""
    low = max(0, spans[0][0] - _AROUND)
    if low:
        blank = text.find(" ", low, spans[0][0])
        low = blank + 1 if blank >= 0 else low
    high = min(len(text), max(low + _LONGEST, spans[0][1]))
    if high < len(text):
        blank = text.rfind(" ", spans[0][1], high)
        high = blank if blank >= 0 else high
    before, behind = "…" if low else "", "…" if high < len(text) else ""
    shift = len(before) - low
    inside = tuple((start + shift, end + shift) for start, end in spans if end <= high)
    return Snippet(field.value, before + text[low:high].translate(_BLANKS) + behind, inside)
