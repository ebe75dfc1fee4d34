"""MJML: templates in the language of mjml.io, made HTML once, when they are read.

    Jinja in MJML ─▶ its tags as words ─▶ mrml ─▶ HTML ─▶ the tags where their words are ─▶ a template like others

A tag that stands between components, such as a `{% for %}` around columns, is put into an `<mj-raw>` of its own. The
template that comes out has its tags on the lines that they have in the file, so that errors name those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError

from dispatcher.digest.jinja import nearest
from dispatcher.errors import TemplateError

ENDINGS = (".html.mjml.j2", ".html.mjml")


def is_mjml(name: str) -> bool:
    """Whether a file of this name is written in MJML."""
    return name.endswith(ENDINGS)


def name_of(name: str) -> str:
    """The template that a file makes: `email/digest.html.mjml` makes `email/digest.html.j2`."""
    for ending in ENDINGS:
        if name.endswith(ending):
            return f"{name.removesuffix(ending)}.html.j2"
    return name


def compile(source: str, file: str) -> str:
    """The template that an MJML file makes. TemplateError if it is no MJML, or if the extra is not installed."""
    try:
        import mrml
    except ImportError:
        raise TemplateError(f"{file}: MJML needs an extra: pip install 'dispatcher[mjml]'", files=(file,)) from None
    source = re.sub(r"\r\n?", "\n", source)
    try:
        tags = list(_tags(source))
        options = mrml.RenderOptions(fonts={})  # a mail loads no fonts from elsewhere
        made = mrml.to_html(_worded(source, tags), render_options=options)
    except _MistakeError as error:
        raise TemplateError(f"{file}:{error.line}: {error}", files=(file,)) from None
    except OSError as error:  # what mrml calls every error; it never says where
        raise TemplateError(f"{file}:1: mrml does not understand this MJML: {error}", files=(file,)) from None
    return _restored(made.content, tags)


@dataclass(frozen=True, slots=True)
class _Tag:
    """A Jinja tag or comment: where it begins, and its text."""

    at: int
    line: int
    text: str


class _MistakeError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _tags(source: str) -> Iterator[_Tag]:
    """All Jinja in a source, as Jinja's own lexer finds it."""
    at, begun = 0, None
    try:
        for line, kind, value in Environment(keep_trailing_newline=True).lexer.tokeniter(source, None):
            start = source.index(value, at)
            at = start + len(value)
            if kind.endswith("_begin"):
                begun = start, line
            elif kind.endswith("_end") and begun is not None:
                yield _Tag(*begun, source[begun[0] : at])
                begun = None
    except TemplateSyntaxError as error:
        raise _MistakeError((error.message or "").rstrip("."), error.lineno) from None
    if begun is not None:
        raise _MistakeError("this Jinja tag is never closed", begun[1])


def _worded(source: str, tags: Sequence[_Tag]) -> str:
    """The source with a word in the place of every tag. _MistakeError if the elements around them are not in order."""
    bare = list(source)
    for tag in tags:
        bare[tag.at : tag.at + len(tag.text)] = [char if char == "\n" else "x" for char in tag.text]
    around = _surroundings("".join(bare), [tag.at for tag in tags])
    out, done = [], 0
    for number, (tag, parent) in enumerate(zip(tags, around, strict=True)):
        word = _WORD % number
        out += [source[done : tag.at], f"<mj-raw>{word}</mj-raw>" if parent in _HOLDERS else word]
        done = tag.at + len(tag.text)
    return "".join(out) + source[done:]


def _surroundings(source: str, places: Sequence[int]) -> list[str]:
    """In which element each of these places is; the empty one within a tag or remark."""
    found, left, stack = list[str](), list(places), list[tuple[str, int]]()
    for markup in _MARKUP.finditer(source):
        while left and left[0] < markup.start():
            found.append(stack[-1][0] if stack else "")
            left.pop(0)
        while left and left[0] < markup.end():
            found.append("")
            left.pop(0)
        _follow(stack, markup, source.count("\n", 0, markup.start()) + 1)
    if stack:
        raise _MistakeError(f"<{stack[-1][0]}> is never closed", stack[-1][1])
    return found + [""] * len(left)


def _follow(stack: list[tuple[str, int]], markup: re.Match[str], line: int) -> None:
    closing, name, rest = markup["closing"], markup["name"], markup["rest"] or ""
    if not name or (not stack and name == "!doctype"):
        return
    if name.startswith("mj") and name not in _COMPONENTS:
        raise _MistakeError(f"there is no component <{name}>{nearest(name, _COMPONENTS)}", line)
    if closing:
        if not stack or stack[-1][0] != name:
            inside = f"<{stack[-1][0]}> of line {stack[-1][1]} is still open" if stack else "nothing is open"
            raise _MistakeError(f"</{name}> closes nothing: {inside}", line)
        stack.pop()
    elif name in _VOID and not rest.endswith("/"):
        raise _MistakeError(f"<{name}> has to be closed here: write <{name}/>", line)
    elif not rest.endswith("/"):
        stack.append((name, line))


def _restored(html: str, tags: Sequence[_Tag]) -> str:
    """The template: every tag in its place, and on its line as far as they come in the same order."""
    out, line = [], 1
    for number, text in enumerate(_WORDS.split(html)):
        if number % 2 == 0:
            out.append(_OTHER.sub(_said, text))
            continue
        tag = tags[int(text)]
        if tag.line > line:
            out.append("{#" + "\n" * (tag.line - line) + "#}")
            line = tag.line
        out.append(tag.text)
        line += tag.text.count("\n")
    return "".join(out)


def _said(found: re.Match[str]) -> str:
    """What would be Jinja or another line, as Jinja that says it."""
    said = found[0].replace("\n", "\\n")
    return f'{{{{ "{said}" }}}}'


_WORD = "jinjatag%dx"
_WORDS = re.compile("jinjatag([0-9]+)x")
_OTHER = re.compile(r"\{?\n|\{[{%#]|\{\Z")
_MARKUP = re.compile(
    r"<!--.*?-->|<(?P<closing>/?)(?P<name>[a-zA-Z!][\w:-]*)(?P<rest>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL
)
_VOID = ("br", "img", "hr", "input", "meta", "link", "wbr")
_HOLDERS = ("mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero")
_COMPONENTS = (
    "mjml", "mj-head", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-font", "mj-preview", "mj-style",
    "mj-title", "mj-body", "mj-raw", "mj-include", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero",
    "mj-text", "mj-image", "mj-button", "mj-divider", "mj-spacer", "mj-table", "mj-accordion", "mj-accordion-element",
    "mj-accordion-title", "mj-accordion-text", "mj-carousel", "mj-carousel-image", "mj-navbar", "mj-navbar-link",
    "mj-social", "mj-social-element",
)  # fmt: skip
