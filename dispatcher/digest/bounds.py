"""Bounds: how much one template may do, so that a mistake in it costs a message and neither the hour nor the memory.

A loop within a loop within a loop ends after so many rounds, a text that grows and grows after so many characters. Both
are far beyond what any mail needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

ROUNDS = 50_000
"""How often the bodies of all loops of one rendering may be run."""

LARGEST = 4_000_000
"""Characters of one text, entries of one list, and every number that says how large something is to become."""


class OutOfBoundsError(Exception):
    """A template does not come to an end, or makes too much."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which everything ends. `begin` is to be called before each rendering."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._left = ROUNDS
        for name in ("batch", "center", "indent", "slice"):
            self.filters[name] = _bounded(self.filters[name])

    def begin(self) -> None:
        """A rendering begins: count its rounds afresh."""
        self._left = ROUNDS

    def round(self) -> None:
        """For compiled templates: one more round of a loop."""
        self._left -= 1
        if self._left < 0:
            raise OutOfBoundsError(f"the loops of this template run more than {ROUNDS:,} times: does one never end?")

    def measured(self, text: Any) -> Any:
        """For compiled templates: what `a ~ b` makes, unless it is too long."""
        _limit(_length(text))
        return text

    def call(self, context: Any, called: Any, *args: Any, **named: Any) -> Any:
        """A call, unless a number that it is given is larger than anything can be."""
        for argument in args:
            _limit(_number(argument))
        return super().call(context, called, *args, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """A sum, product, power or old-style format, unless its result would be too large."""
        match operator:
            case "+":
                _limit(_length(left) + _length(right))
            case "*":
                _limit(max(_length(left) * _number(right), _number(left) * _length(right)))
            case "**":
                _limit(_number(left).bit_length() * _number(right))
            case _ if isinstance(left, str):
                _limit(max(map(int, re.findall("[0-9]{1,18}", left)), default=0))
        return super().call_binop(context, operator, left, right)

    def concat(self, parts: Iterable[str]) -> str:
        """What a template, a macro or a block says."""
        said, length = [], 0
        for part in parts:
            length += len(part)
            _limit(length)
            said.append(part)
        return "".join(said)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:  # Jinja's own place to change a tree in
        for loop in source.find_all(nodes.For):
            loop.body = [_placed(nodes.ExprStmt(_call("round")), loop), *loop.body]
        return super()._generate(_Measuring().visit(source), name, filename, defer_init)


class _Measuring(NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 (Jinja's own name)
        self.generic_visit(node)
        return _placed(_call("measured", node), node)


def _call(method: str, *args: nodes.Expr) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), list(args), [], None, None)


def _placed(node: nodes.Node, near: nodes.Node) -> nodes.Node:
    assert near.environment is not None
    return node.set_lineno(near.lineno).set_environment(near.environment)


def _bounded(filtered: Callable[..., Any]) -> Callable[..., Any]:
    """A filter, unless a number that it is given is too large."""

    @wraps(filtered)
    def bounded(*args: Any, **named: Any) -> Any:
        for argument in (*args, *named.values()):
            _limit(_number(argument))
        return filtered(*args, **named)

    return bounded


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _limit(size: int) -> None:
    if size > LARGEST:
        raise OutOfBoundsError(f"this makes more than {LARGEST:,} characters, which no mail can hold")
