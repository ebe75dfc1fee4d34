"""The context of templates is documented and stable: the names of the reference are those that there are, both ways."""

from __future__ import annotations

import re

import pytest

from dispatcher.digest.jinja import PERSONAL_NAMES, SHARED_NAMES
from dispatcher.digest.render import builtin_folder
from dispatcher.digest.slots import Letterhead, Links
from dispatcher.model.content import Story
from dispatcher.model.outbound import DigestContent, Personal, Section
from dispatcher.model.theme import Theme

REFERENCE = (builtin_folder().parent / "docs" / "reference" / "templates.md").read_text()
KINDS = {
    "newsletter": Letterhead,
    "digest": DigestContent,
    "section": Section,
    "story": Story,
    "subscriber": Personal,
    "links": Links,
    "theme": Theme,
}
ELSEWHERE = {"subscriber": {"topics", "cadence"}, "newsletter": {"theme"}}
"""Known under a shorter name."""


def attributes(kind: type) -> set[str]:
    """What a template can read of a value of this kind."""
    return {name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name, None))}


@pytest.mark.parametrize("name", KINDS)
def test_every_documented_attribute_exists(name: str) -> None:
    documented = set(re.findall(rf"`{name}\.([a-z_]+)`", REFERENCE))
    assert documented - {*KINDS[name].__dataclass_fields__} - attributes(KINDS[name]) == set()


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"theme"}))
def test_every_attribute_is_documented(name: str) -> None:
    fields = {*KINDS[name].__dataclass_fields__} - ELSEWHERE.get(name, set())
    assert fields - set(re.findall(rf"`{name}\.([a-z_]+)`", REFERENCE)) == set()


@pytest.mark.parametrize(
    ("heading", "known"), [("outside personal blocks", SHARED_NAMES), ("inside personal blocks", PERSONAL_NAMES)]
)
def test_the_tables_of_names_are_those_that_a_template_knows(heading: str, known: tuple[str, ...]) -> None:
    part = REFERENCE.split(f"## Names {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", part, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z]+)`", row)}
    assert named - {"digest.layout"} >= set(known)
    assert named - set(known) - {"cards", "list", "headlines", "full"} == set()
