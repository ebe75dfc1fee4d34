"""Front matter: the few lines of facts above a Markdown text, between `---` (a small part of YAML) or `+++` (TOML).

The YAML part is what people write by hand: `key: value`, `key: [a, b]`, lists of `- item`, and block texts with `|`
or `>`. Deeper structures are skipped, so that foreign keys do no harm.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from dispatcher.errors import SourceError

Facts = Mapping[str, object]

_FENCE = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PAIR = re.compile(r"""("[^"]*"|'[^']*'|[^\s#:'"\[\]{}-][^:]*?)[ \t]*:(?:[ \t]+(.*))?$""")
_BLOCK = re.compile(r"([|>])[+-]?\d?$")


def split(text: str) -> tuple[Facts, str]:
    """The facts (keys in lower case; strings, lists of strings, TOML values) and the text below them.

    A text that does not begin with a closed fence has no facts: a lone `---` is a rule. SourceError names the line.
    """
    found = _FENCE.match(text)
    if found is None:
        return {}, text
    facts = _toml(found[2]) if found[1] == "+++" else _yaml(found[2])
    return {key.lower(): value for key, value in facts.items()}, text[found.end() :]


def _toml(block: str) -> Facts:
    try:
        return tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"its TOML front matter cannot be read: {error} (counted from the line after +++)") from error


def _yaml(block: str) -> Facts:
    facts: dict[str, object] = {}
    lines = block.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pair = _PAIR.match(line)
        if pair is None:
            raise SourceError(f"line {number + 1} of its front matter is not `key: value`: {line.strip()[:80]!r}")
        nested = _nested(lines, number)
        number += len(nested)
        facts[_scalar(pair[1])] = _value((pair[2] or "").strip(), nested)
    return facts


def _nested(lines: list[str], start: int) -> list[str]:
    """The lines that belong to the key above: indented ones, list items, and blank lines between them."""
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " \t" or re.match(r"-(\s|$)", lines[end])):
        end += 1
    return lines[start:end]


def _value(text: str, nested: list[str]) -> object:
    if block := _BLOCK.match(_uncommented(text)):
        inner = [line.strip() if block[1] == ">" else line for line in nested]
        return " ".join(filter(None, inner)) if block[1] == ">" else _dedented(inner)
    if text.startswith("["):
        return _inline_list(" ".join([text, *map(str.strip, nested)]))
    if text:
        return _scalar(" ".join([text, *filter(None, map(str.strip, nested))]))
    return [_scalar(line.strip()[1:]) for line in nested if re.match(r"\s*-(\s|$)", line)]


def _dedented(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).strip()


def _inline_list(text: str) -> list[str]:
    inner, closed, rest = text[1:].rpartition("]")
    inner = inner if closed else rest
    entries = re.findall(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]+)\s*(?:,|$)""", inner)
    return [scalar for entry in entries if (scalar := _scalar(entry))]


def _scalar(text: str) -> str:
    """A plain or quoted string. Escapes in double quotes are those of JSON that occur by hand."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text[1:-1])
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return _uncommented(text)


def _uncommented(text: str) -> str:
    """Without a trailing comment: a `#` after white space, outside quotes."""
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        rest = text[end + 1 :].strip()
        return _scalar(text[: end + 1]) if end > 0 and rest.startswith("#") else text
    return re.split(r"\s+#", text, maxsplit=1)[0].strip()
