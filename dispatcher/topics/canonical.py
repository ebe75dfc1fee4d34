"""The canonical form: one tree and one text for all queries that ask the same, so that readers can share them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dispatcher.topics.syntax import And, Everything, Leaf, Name, Near, Node, Not, Or, Phrase, Prefix, Word


def canonical(node: Node) -> str:
    """The canonical text. parse(canonical(n)) matches what n matches, with the same scores, and has the same text."""
    return write(simplify(node))


def simplify(node: Node) -> Node:
    """The same query with NOT on leaves only, nested ANDs and ORs flattened, children sorted, each once.

    `*` within AND says nothing beside something to look for, and swallows the rest of an OR.
    """
    return _simplify(node, is_negated=False)


def write(node: Node) -> str:
    """A tree as text, with the parentheses it needs and no others."""
    match node:
        case Or(children):
            return " OR ".join(map(write, children))
        case And(children):
            return " ".join(f"({write(child)})" if isinstance(child, Or) else write(child) for child in children)
        case Not(And() | Or() as child):
            return f"-({write(child)})"
        case Not(child):
            return f"-{write(child)}"
        case _:
            return _write_leaf(node)


def is_anchored(node: Node, *, is_negated: bool = False) -> bool:
    """Whether every way to match needs at least one leaf to be found."""
    match node:
        case And(children) | Or(children):
            needs_one = isinstance(node, And) is not is_negated
            return (any if needs_one else all)(is_anchored(child, is_negated=is_negated) for child in children)
        case Not(child):
            return is_anchored(child, is_negated=not is_negated)
        case _:
            return not is_negated


def _write_leaf(leaf: Leaf) -> str:
    if isinstance(leaf, Everything):
        return "*"
    field = f"{leaf.field}:" if leaf.field else ""
    match leaf:
        case Phrase(text):
            return f'{field}"{text}"'
        case Near(text, distance):
            return f'{field}"{text}"~{distance}'
        case Prefix(text):
            return f"{field}{text}*"
        case Word(text) | Name(text):
            return f"{field}{text}"


def _simplify(node: Node, *, is_negated: bool) -> Node:
    match node:
        case Not(child):
            return _simplify(child, is_negated=not is_negated)
        case And(children) | Or(children):
            simple = [_simplify(child, is_negated=is_negated) for child in children]
            return _all(simple, node.at) if isinstance(node, And) is not is_negated else _either(simple, node.at)
        case _:
            return Not(node, node.at) if is_negated else node


def _all(children: list[Node], at: int) -> Node:
    parts = _flat(children, And)
    telling: list[Node] = [part for part in parts if not isinstance(part, Everything)]
    return _several(telling if any(map(is_anchored, telling)) else parts, And, at)


def _either(children: list[Node], at: int) -> Node:
    parts = _flat(children, Or)
    return next((part for part in parts if isinstance(part, Everything)), None) or _several(parts, Or, at)


def _flat(children: Iterable[Node], kind: type[And] | type[Or]) -> list[Node]:
    """The children, with those of the same kind replaced by their own."""
    return [part for child in children for part in (child.children if isinstance(child, kind) else (child,))]


def _several(parts: list[Node], kind: Callable[[tuple[Node, ...], int], And | Or], at: int) -> Node:
    """The parts sorted, what excludes behind what is looked for, and equal ones once."""
    by_text = {(isinstance(part, Not), write(part)): part for part in reversed(parts)}
    ordered = tuple(by_text[key] for key in sorted(by_text))
    return ordered[0] if len(ordered) == 1 else kind(ordered, at)
