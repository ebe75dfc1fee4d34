"""The reference page says what the code does: its examples are tried here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import QueryError
from dispatcher.text.document import analyse
from dispatcher.topics.canonical import canonical
from dispatcher.topics.evaluate import WEIGHTS, score
from dispatcher.topics.parser import parse
from dispatcher.topics.syntax import MAX_DEPTH, MAX_DISTANCE, MAX_LEAVES, MAX_LENGTH, MAX_WORDS, Field

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "query-language.md").read_text(encoding="utf-8")


def test_every_field_is_explained() -> None:
    assert all(f"`{field}:`" in PAGE for field in Field if field)


def test_every_bound_is_named() -> None:
    flat = " ".join(PAGE.split())
    for sentence in (
        f"{MAX_LENGTH:,} characters",
        f"more than {MAX_LEAVES} words and phrases",
        f"{MAX_WORDS} words in one phrase",
        f"{MAX_DEPTH} levels",
        f"from 0 to {MAX_DISTANCE}",
    ):
        assert sentence in flat


def test_the_weights_are_those_of_the_page() -> None:
    assert (WEIGHTS[Field.TITLE], WEIGHTS[Field.TAG], WEIGHTS[Field.SUMMARY], WEIGHTS[Field.AUTHOR]) == (4, 3, 2, 2)
    assert {WEIGHTS[field] for field in (Field.BODY, Field.SOURCE, Field.LANG, Field.ANY)} == {1}


def test_every_query_of_the_first_table_parses() -> None:
    table = PAGE.split("| write | to find |")[1].split("\n\n")[0]
    queries = [query for line in table.splitlines()[2:] for query in line.split("|")[1].split("`")[1::2]]
    assert len(queries) == 10
    assert all(parse(query) for query in queries)


def test_the_canonical_example_holds() -> None:
    assert canonical(parse("(Wind AND énergie) wind -(oil OR gas)")) == "energie wind -gas -oil"


def test_the_proximity_example_holds() -> None:
    article = analyse(title="price of a wind farm", summary="", body="")
    assert score(parse('"wind farm price"~2'), article, "") is not None
    assert score(parse('"wind farm price"~1'), article, "") is None


@pytest.mark.parametrize("query", ["-sport", "energy OR -sport"])
def test_the_refused_examples_are_refused(query: str) -> None:
    with pytest.raises(QueryError, match="only excludes"):
        parse(query)


@pytest.mark.parametrize("query", ["energy -sport", "(energy OR -sport) price", "* -sport", "std::move", "12:30"])
def test_the_accepted_examples_are_accepted(query: str) -> None:
    assert parse(query)
