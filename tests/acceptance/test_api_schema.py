"""The API against its own OpenAPI document: what schemathesis makes of every operation, at a real server.

A sample by default; ROUNDS=long is thorough.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from api_client import ROOT, Program, program, reader
from conftest import LONG
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from dispatcher import clock
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.web.api import first
from dispatcher.web.api.document import document

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance, negative_data_rejection, unsupported_method, allow_header_conformance, ignored_auth,
]  # fmt: skip
"""Not: that all that fits the document is accepted. No schema can say what a query, a cadence or a time zone is."""
TOPICS = [{"slug": "energy", "query": "*"}, {"slug": "sea", "query": "ferry"}]
SECTIONS = {"topics": TOPICS, "web": {"url": "https://quay.example", "requests_per_minute": 1_000_000}}
QUICKLY = settings(
    max_examples=300 if LONG else 15, phases=tuple(Phase) if LONG else (Phase.explicit, Phase.generate),
    deadline=None, derandomize=not LONG, database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip


@contextmanager
def elsewhere() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """An event loop in a thread of its own, and the function that runs something in it: schemathesis blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def furnish(shop: Program) -> None:
    """Somebody who follows a topic, an article, and the alert that tells of it."""
    await reader(shop.ctx, "ann@reader.example", "energy", cadence="instant")
    await shop.post("/articles", {"title": "The ferry sails"})
    await plan(shop.ctx, clock.now())
    await send(shop.ctx, clock.now())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shop(
    request: pytest.FixtureRequest, furnished: Callable[[str, Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A server of each engine with something in it, and a token that opens everything."""
    folder = tmp_path_factory.mktemp("api")
    with elsewhere() as run:
        opened = program(folder, furnished(request.param, folder), **SECTIONS)
        found: Program = run(opened.__aenter__())
        try:
            run(furnish(found))
            yield found
        finally:
            run(opened.__aexit__(None, None, None))


schema = schemathesis.openapi.from_dict(document(first(), ROOT))
schema.config.checks.negative_data_rejection.expected_statuses += ["413"]  # what is too long may be too much as well


@schema.parametrize()
@QUICKLY
def test_every_answer_is_one_that_the_document_promises(case: Any, shop: Program) -> None:
    headers = {"Authorization": f"Bearer {shop.token}"}
    besides = [allow_header_conformance] if case.path in ("/topics/test", "/topics/suggest") else []  # may be slugs
    case.call_and_validate(
        base_url=shop.client.url + ROOT, headers=headers, checks=[one for one in CHECKS if one not in besides]
    )


def test_the_document_that_is_served_is_the_one_that_is_tested(shop: Program) -> None:
    answer = requests.get(f"{shop.client.url}{ROOT}/openapi.json", timeout=10)
    assert answer.json() == document(first(), f"https://quay.example{ROOT}")
    assert answer.json()["openapi"].startswith("3.1")
