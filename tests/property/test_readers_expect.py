"""What readers of ten languages expect of a query, on both ways of answering it: one article at a time, and the index.

`tests/corpus/readers` has an article per file, with queries that must find it and queries that must not, and why.
`denied` are those that a reader would expect to find it, and that do not, with the reason.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dispatcher.text.document import Document, analyse
from dispatcher.topics.canonical import canonical
from dispatcher.topics.evaluate import compile_query
from dispatcher.topics.index import Index
from dispatcher.topics.parser import parse

FILES = sorted((Path(__file__).parents[1] / "corpus" / "readers").glob("*.toml"))
LEAST = 200  # pairs


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def document_in(case: dict[str, Any]) -> Document:
    texts = {name: case[name] for name in ("title", "summary", "body", "tags", "authors", "sources", "language")}
    return analyse(**texts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_query_answers_as_its_reader_expects(path: Path) -> None:
    case = read(path)
    document = document_in(case)
    expected = dict.fromkeys(case["found"], True) | dict.fromkeys((*case["missed"], *case.get("denied", ())), False)
    index = Index()
    index.add_many((number, query, case["query_language"]) for number, query in enumerate(expected))
    hits = {hit.query_id for hit in index.match(document)}
    plans = {query: compile_query(parse(query), case["query_language"]) for query in expected}
    said = {query: plan.score(document) is not None for query, plan in plans.items()}
    assert {query: found for query, found in said.items() if found != expected[query]} == {}
    assert {query: number in hits for number, query in enumerate(expected)} == expected
    assert {query: canonical(parse(canonical(parse(query)))) == canonical(parse(query)) for query in expected} == (
        dict.fromkeys(expected, True)
    )


def test_ten_languages_have_their_say_and_every_expectation_its_reason() -> None:
    cases = [read(path) for path in FILES]
    assert len({case["language"] for case in cases}) >= 10
    reasons = [reason for case in cases for part in ("found", "missed") for reason in case[part].values()]
    assert all(reasons)
    assert len(reasons) >= LEAST
