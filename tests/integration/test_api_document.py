"""The API's document and its reference page say the same, and the page leaves out nothing."""

from __future__ import annotations

import re
from pathlib import Path

from dispatcher.pipeline.access import SCOPES
from dispatcher.web.api import first
from dispatcher.web.api.document import document

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
MADE = document(first(), "/api/v1")


def test_every_operation_stands_in_the_reference_and_no_others() -> None:
    operations = {f"{method.upper()} {path}" for path, item in MADE["paths"].items() for method in item}
    assert operations == set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]+)`", PAGE))


def test_every_scope_and_every_refusal_stands_in_the_reference() -> None:
    assert [scope for scope in SCOPES if f"`{scope}`" not in PAGE] == []
    operations = [operation for item in MADE["paths"].values() for operation in item.values()]
    statuses = {status for operation in operations for status in operation["responses"]} - {"200", "201", "202", "204"}
    assert [status for status in sorted(statuses) if not re.search(rf"^\| .*\b{status}\b", PAGE, re.MULTILINE)] == []


def test_every_operation_names_its_scope_says_what_it_does_and_refuses_with_problems() -> None:
    for item in MADE["paths"].values():
        for operation in item.values():
            assert operation["security"][0]["token"][0] in SCOPES
            assert operation["description"].endswith(".")
            for status, answer in operation["responses"].items():
                kinds = set(answer.get("content", {}))
                assert kinds == ({"application/problem+json"} if status >= "400" else kinds & {"application/json"})


def test_nothing_in_the_document_leads_nowhere() -> None:
    schemas = set(MADE["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", str(MADE))) <= schemas
    assert not {"HTTPValidationError", "ValidationError"} & schemas
