"""From a query's tree to parts that an index can answer with a few array operations.

A query is the OR of its parts, and its score the sum of what its matching parts score. Most are a Choice: an AND of
leaves and of ORs of leaves. It matches if one of its conjunctions does, and scores the sum of all its leaves, because
those that are not there are worth nothing. What is deeper, or would need too many conjunctions, is a Program: it is
evaluated as a tree, and only when one of its anchors is there, without which it cannot match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from dispatcher.topics.syntax import And, Leaf, Node, Not, Or

MOST_CONJUNCTIONS = 24  # in one part; what would need more is a program


class Conjunction(NamedTuple):
    """Features that must all be there, and features of which none may be."""

    wanted: tuple[int, ...]
    unwanted: tuple[int, ...]


class Choice(NamedTuple):
    """Conjunctions of which one must hold, and the features whose worth is summed."""

    conjunctions: list[Conjunction]
    scored: list[int]


class Every(NamedTuple):
    """A program's AND."""

    children: tuple[Step, ...]


class Any(NamedTuple):
    """A program's OR."""

    children: tuple[Step, ...]


class Without(NamedTuple):
    """A program's NOT."""

    feature: int


Step = int | Every | Any | Without
Part = Choice | Step


def parts(node: Node, feature_of: Callable[[Leaf], int]) -> Iterator[Part]:
    """The parts of a simplified tree."""
    children = node.children if isinstance(node, Or) else (node,)
    plain = tuple(child for child in children if not isinstance(child, And))
    if plain:
        yield _part(Or(plain) if len(plain) > 1 else plain[0], feature_of)
    yield from (_part(child, feature_of) for child in children if isinstance(child, And))


def anchors(step: Step, frequency: Callable[[int], float]) -> tuple[int, ...]:
    """Features of which one must be there for the step to hold: the rarest such set that is easily found. Not empty.

    As Luwak does it: of an AND the cheapest child, of an OR the union of its children.
    """
    found = _anchors(step, frequency)
    assert found, "a query that nothing anchors is refused when it is parsed"
    return found[1]


def _part(node: Node, feature_of: Callable[[Leaf], int]) -> Part:
    clauses = _clauses(node)
    if clauses is None:
        return _step(node, feature_of)
    count = 1
    for clause in clauses:
        count *= len(clause)
    if count > MOST_CONJUNCTIONS:
        return _step(node, feature_of)
    terms = [[_term(leaf, feature_of) for leaf in clause] for clause in clauses]
    scored = [feature for clause in terms for feature, is_wanted in clause if is_wanted]
    conjunctions = (_conjunction(chosen) for chosen in product(*terms))
    possible = [one for one in conjunctions if not set(one.wanted) & set(one.unwanted)]
    return Choice(list(dict.fromkeys(possible)), scored)


def _clauses(node: Node) -> list[Sequence[Node]] | None:
    """The node as an AND of ORs of leaves, negated or not; None if it is more than that."""
    clauses: list[Sequence[Node]] = []
    for child in node.children if isinstance(node, And) else (node,):
        if isinstance(child, Or):
            if any(isinstance(inner, And) for inner in child.children):
                return None
            clauses.append(child.children)
        else:
            clauses.append((child,))
    return clauses


def _term(node: Node, feature_of: Callable[[Leaf], int]) -> tuple[int, bool]:
    """A leaf's feature, and whether it is wanted."""
    match node:
        case Not(child):
            return _feature(child, feature_of), False
        case _:
            return _feature(node, feature_of), True


def _feature(node: Node, feature_of: Callable[[Leaf], int]) -> int:
    assert not isinstance(node, And | Or | Not), "simplified trees have NOT on leaves only"
    return feature_of(node)


def _conjunction(terms: Sequence[tuple[int, bool]]) -> Conjunction:
    wanted = dict.fromkeys(feature for feature, is_wanted in terms if is_wanted)
    unwanted = dict.fromkeys(feature for feature, is_wanted in terms if not is_wanted)
    return Conjunction(tuple(wanted), tuple(unwanted))


def _step(node: Node, feature_of: Callable[[Leaf], int]) -> Step:
    match node:
        case And(children):
            return Every(tuple(_step(child, feature_of) for child in children))
        case Or(children):
            return Any(tuple(_step(child, feature_of) for child in children))
        case Not(child):
            return Without(_feature(child, feature_of))
        case _:
            return feature_of(node)


def _anchors(step: Step, frequency: Callable[[int], float]) -> tuple[float, tuple[int, ...]] | None:
    """How often one of the anchors is expected, and the anchors; None where nothing needs to be there."""
    match step:
        case int(feature):
            return frequency(feature), (feature,)
        case Every(children):
            able = [found for child in children if (found := _anchors(child, frequency))]
            return min(able, default=None)
        case Any(children):
            found_all = [_anchors(child, frequency) for child in children]
            able = [found for found in found_all if found]
            if len(able) < len(found_all):
                return None
            return sum(often for often, _ in able), tuple(dict.fromkeys(one for _, some in able for one in some))
        case _:
            return None
