"""The documentation tells the truth: commands, options, words and links are those there are."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import typer.main
from sqlmodel import SQLModel

import dispatcher.model
from dispatcher.config import schema
from dispatcher.config.settings import Document

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


# -- commands --------------------------------------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Every command by its full name, as in "sources add"."""
    from dispatcher.cli.app import app

    def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
            return
        for word, child in inner.items():
            if not child.hidden:
                yield from walk(child, f"{name} {word}".strip())

    return dict(walk(typer.main.get_command(app), ""))


def headings() -> dict[str, str]:
    """Command → the text under its heading in the reference; one heading may hold several."""
    found: dict[str, str] = {}
    for part in re.split(r"^### ", text_of("reference/cli.md"), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        for quoted in re.findall(r"`([^`]+)`", heading):
            name = " ".join(word for word in quoted.split() if re.fullmatch(r"[a-z-]+", word))
            found[name] = body.partition("\n## ")[0]
    return found


def test_every_command_has_a_heading_and_every_heading_a_command() -> None:
    assert set(headings()) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_a_command_is_explained(name: str) -> None:
    page = text_of("reference/cli.md")
    general = page[: page.index("\n## ")]
    options = {
        option
        for parameter in commands()[name].params
        if isinstance(parameter, click.Option) or parameter.param_type_name == "option"
        if not getattr(parameter, "hidden", False)
        for option in parameter.opts
        if option.startswith("--")
    } - {"--help"}
    said = headings()[name] + general
    assert {option for option in options if option not in said} == set()


# -- settings --------------------------------------------------------------------------------------------------------


def test_every_section_and_key_of_the_settings_is_explained() -> None:
    page = text_of("reference/configuration.md")
    for name in schema.fields(Document):
        assert f"\n## {name}\n" in page
        model = schema.model_at((name,)) or schema.model_at((name, 0))
        body = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for key in schema.fields(model) if model else ():
            assert f"| `{key}` |" in body, f"{name}.{key}"


# -- words -----------------------------------------------------------------------------------------------------------


def nouns() -> set[str]:
    """The tables and frozen values of the model."""
    found = set()
    for module in pkgutil.iter_modules(dispatcher.model.__path__, "dispatcher.model."):
        for noun in vars(importlib.import_module(module.name)).values():
            if isinstance(noun, type) and noun.__module__ == module.name:
                is_table = issubclass(noun, SQLModel) and hasattr(noun, "__table__")
                if is_table or dataclasses.is_dataclass(noun):
                    found.add(noun.__name__)
    return found


def rows_of_the_glossary() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", text_of("glossary.md"), flags=re.MULTILINE)
    return [(word.strip(), meaning.strip()) for word, meaning in rows if word.strip() not in ("noun", "word")]


def test_every_noun_has_one_sentence_in_the_glossary() -> None:
    words = [word for word, _ in rows_of_the_glossary()]
    assert nouns() - set(words) == set()
    assert len(words) == len(set(words)), "one word, one meaning"
    assert [word for word, meaning in rows_of_the_glossary() if not meaning.endswith(".")] == []


def test_the_fields_own_words_are_in_the_glossary() -> None:
    page = text_of("glossary.md").lower()
    for word in (
        "envelope", "recipient", "suppression", "hard bounce", "soft bounce", "complaint", "list-unsubscribe",
        "smarthost", "relay", "verp", "double opt-in", "digest", "cadence", "quiet hours", "percolator", "edition",
    ):  # fmt: skip
        assert f"| {word}" in page or word in ("smarthost",), word
    assert "smarthost" in page


# -- links -----------------------------------------------------------------------------------------------------------


def links(page: Path) -> list[str]:
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    targets = [first or second for first, second in LINK.findall(text)]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.relative_to(ROOT)}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.relative_to(ROOT)}: {link}"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / unquote(link).partition("#")[0]).resolve()
        for page in PAGES
        for link in links(page)
        if unquote(link).partition("#")[0]
    }
    alone = [
        str(page.relative_to(ROOT))
        for page in PAGES
        if page.resolve() not in linked and page.parent.resolve() not in linked and page.name != "README.md"
    ]
    assert alone == []


def test_decisions_are_numbered_without_gaps() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for number, page in enumerate(pages, 1):
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. ")
