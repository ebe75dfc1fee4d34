"""The templates' second Jinja, which hands the body of every loop to the recorder of the rendering.

    {% for story in stories %} … {% endfor %}   becomes
    {% for story in stories %}{% call(story, show) recorder.body(7, story, {"story": story, "show": show}) %} … {% endcall %}{% endfor %}

The recorder is told as well where text goes into an expression before it is printed (a macro, a filter, a `{% set %}`),
because there no mark would be left alone. And templates are surveyed before: what no recorder would notice, such as a
macro that knows a number from outside, or chance, is refused.
"""  # noqa: E501 - as Jinja would see it

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from jinja2 import nodes

from dispatcher.digest import recorder
from dispatcher.digest.bounds import BoundedEnvironment
from dispatcher.digest.recorder import UnsharableError

WATCHED = frozenset(("newsletter", "theme", "digest", "sections", "stories", "lang", "dir"))
"""What a macro may know: it is watched, or the same for all who share. `more` is neither."""


class MarkingEnvironment(BoundedEnvironment):
    """Compiles templates so that a recorder is told of their loops."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._numbers = count()
        self._surveyed: dict[str, str] = {}

    def body(self, number: int, item: Any, known: dict[str, Any], caller: Callable[..., str]) -> str:
        """For marked templates: see Recorder.body."""
        return recorder.current().body(number, item, known, caller)

    def capture(self, by: int) -> str:
        """For marked templates: see Recorder.capture."""
        return recorder.current().capture(by)

    def survey(self, root: str) -> None:
        """Look at a template and all that it draws on. UnsharableError if it does what nobody would notice."""
        if root not in self._surveyed:
            try:
                self._survey(root)
            except UnsharableError as error:
                self._surveyed[root] = str(error)
            else:
                self._surveyed[root] = ""
        if reason := self._surveyed[root]:
            raise UnsharableError(reason)

    def _survey(self, root: str) -> None:
        for name in self._reachable(root):
            tree = self._tree(name)
            _look_for_chance(tree)
            _look_at_blocks(tree)
            _look_at_macros(tree, self.globals)
            for imported in tree.find_all((nodes.Import, nodes.FromImport)):
                for found in _templates(imported):
                    if _set_outside_macros(self._tree(found)):
                        raise UnsharableError(f"{found} is imported, and sets a value")

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:  # Jinja's own place to change a tree in
        self._mark(source)
        return super()._generate(source, name, filename, defer_init)

    def _mark(self, node: nodes.Node) -> None:
        """Change a tree, from its leaves on."""
        if not isinstance(node, _EXPRESSED):
            for child in node.iter_child_nodes():
                self._mark(child)
        match node:
            case nodes.Output():
                node.nodes = [part for child in node.nodes for part in self._printed(child)]
            case nodes.Macro() | nodes.CallBlock() | nodes.FilterBlock() | nodes.AssignBlock():
                begin, end = (self._placed(nodes.Output([self._captured(by)]), node) for by in (1, -1))
                node.body = [begin, *node.body, end]
            case nodes.For(target=nodes.Name(name=name)) if _can_move(node):
                node.body = [self._handed_over(node, name)]

    def _printed(self, node: nodes.Expr) -> list[nodes.Expr]:
        """A macro that is printed as it is may be left marks in: that takes back what it says of itself."""
        if isinstance(node, nodes.Call) and not _names(node) & _SPECIAL and _is_simple(node):
            return [self._placed(self._captured(-1), node), node, self._placed(self._captured(1), node)]
        return [node]

    def _captured(self, by: int) -> nodes.Expr:
        return nodes.Call(nodes.EnvironmentAttribute("capture"), [nodes.Const(by)], [], None, None)

    def _handed_over(self, loop: nodes.For, target: str) -> nodes.Node:
        names = self._names_within(loop.body)
        known = nodes.Dict([nodes.Pair(nodes.Const(name), nodes.Name(name, "load")) for name in names])
        args = [nodes.Const(next(self._numbers)), nodes.Name(target, "load"), known]
        call = nodes.Call(nodes.EnvironmentAttribute("body"), args, [], None, None)
        return self._placed(nodes.CallBlock(call, [nodes.Name(n, "param") for n in names], [], loop.body), loop)

    def _placed(self, node: _Node, near: nodes.Node) -> _Node:
        node.set_lineno(near.lineno).set_environment(self)
        return node

    def _names_within(self, body: Sequence[nodes.Node]) -> list[str]:
        """The names that a body knows, and those that what it includes could know."""
        own = {name for node in body for name in _names(node)}
        included = {
            name
            for node in body
            for include in _all(node, nodes.Include)
            for target in _templates(include)
            for template in self._reachable(target)
            for name in _names(self._tree(template))
        }
        return sorted(own | (included - {"loop", *_SPECIAL}))  # only a body that names `loop` has one

    def _reachable(self, root: str) -> Iterator[str]:
        """A template, those that it extends, includes and imports, and so on."""
        known, left = {root}, [root]
        while left:
            name = left.pop()
            yield name
            for node in self._tree(name).find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
                fresh = [found for found in _templates(node) if found not in known]
                known.update(fresh)
                left += fresh

    def _tree(self, name: str) -> nodes.Template:
        assert self.loader is not None
        source, filename, _ = self.loader.get_source(self, name)
        return self.parse(source, name, filename)


_Node = TypeVar("_Node", bound=nodes.Node)
_EXPRESSED = (nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)
_SPECIAL = frozenset(("caller", "varargs", "kwargs", "self", "super"))


def _all(node: nodes.Node, kind: type[nodes.Node]) -> Iterator[nodes.Node]:
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)


def _names(node: nodes.Node) -> set[str]:
    """Every name in a tree, and those of namespaces that are written to."""
    found = {name.name for name in _all(node, nodes.Name) if isinstance(name, nodes.Name)}
    return found | {ref.name for ref in _all(node, nodes.NSRef) if isinstance(ref, nodes.NSRef)}


def _can_move(loop: nodes.For) -> bool:
    """Whether the body may become a block of its own: nothing in it belongs to what is around."""
    if loop.recursive or loop.find(nodes.Block) or loop.find(nodes.Macro):
        return False
    return not any(_names(node) & _SPECIAL for node in loop.body)


def _is_simple(call: nodes.Call) -> bool:
    """Whether nothing else is called on the way."""
    return not (call.dyn_args or call.dyn_kwargs or call.find(nodes.Call) or call.find(nodes.Filter))


def _templates(node: nodes.Node) -> list[str]:
    """The templates that a tag names. UnsharableError if it names them at run time only."""
    try:
        named = node.template.as_const()  # type: ignore[attr-defined]
    except nodes.Impossible:
        raise UnsharableError("which template is drawn on is decided at run time") from None
    return [named] if isinstance(named, str) else list(named)


def _look_for_chance(tree: nodes.Template) -> None:
    if any(found.name == "random" for found in tree.find_all(nodes.Filter)) or "lipsum" in _names(tree):
        raise UnsharableError("chance decides what is shown")


def _look_at_blocks(tree: nodes.Template) -> None:
    """`self.title()` and `super()` may be printed as they are; else marks could get into an expression."""
    printed = [
        child.node for output in tree.find_all(nodes.Output) for child in output.nodes if isinstance(child, nodes.Call)
    ]
    owners = [call.node if isinstance(call, nodes.Getattr) else call for call in printed]
    used = [name for name in tree.find_all(nodes.Name) if name.name in ("self", "super")]
    if any(all(name is not owner for owner in owners) for name in used):
        raise UnsharableError("a block is used in an expression")


def _look_at_macros(tree: nodes.Template, constants: Mapping[str, Any]) -> None:
    """A macro brings whatever it knows from outside into a body that calls it, and nobody is told."""
    macros = list(tree.find_all(nodes.Macro))
    outside = _set_outside_macros(tree)
    known = {macro.name for macro in macros} | _imported(tree) | WATCHED | set(constants)
    for macro in macros:
        own = {name.name for name in macro.find_all(nodes.Name) if name.ctx != "load"}
        if unknown := _names(macro) - own - known - _SPECIAL - {"loop"} | _names(macro) & (outside - own):
            raise UnsharableError(f"the macro {macro.name} knows {', '.join(sorted(unknown))} from outside")
    if macros and any(loop.find(nodes.Macro) for loop in tree.find_all(nodes.For)):
        raise UnsharableError("a macro is defined in a loop")
    if shadowed := outside & WATCHED:
        raise UnsharableError(f"{', '.join(sorted(shadowed))} is set to something else")


def _set_outside_macros(tree: nodes.Template) -> set[str]:
    within = {id(name) for macro in tree.find_all(nodes.Macro) for name in macro.find_all(nodes.Name)}
    return {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store" and id(name) not in within}


def _imported(tree: nodes.Template) -> set[str]:
    """The names under which a template imports others, or parts of them."""
    found = {node.target for node in tree.find_all(nodes.Import)}
    for node in tree.find_all(nodes.FromImport):
        found |= {name[1] if isinstance(name, tuple) else name for name in node.names}
    return found
