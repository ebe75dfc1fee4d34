"""What nobody would send who means well: refused, and never a mistake of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from api_client import ROOT, Program, program, reader

HUGE = 10**30
TEXTS = ["\0", "a\0b", "\ud800", "😀" * 1000, "'; DROP TABLE article; --", "{{ 7 * 7 }}%s%n", "../../etc/passwd",
         "<script>alert(1)</script>", "\r\nBcc: eve@evil.example", "x" * 100_000, " "]  # fmt: skip
ODD = [None, True, -1, HUGE, -HUGE, 1.5, [], {}, [[]], {"a": {"b": []}}, [None] * 1000]


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    more = {"web": {"url": "https://quay.example"}}
    async with program(tmp_path, furnished_url, **more) as found:
        await reader(found.ctx, "ann@reader.example", "sea")
        yield found


BODIES = {
    ("POST", "/articles"): {
        "source": "Desk", "guid": "1", "url": "https://quay.example/1", "title": "One", "summary": "S",
        "content_html": "<p>x", "authors": ["A"], "tags": ["t"], "image_url": "https://quay.example/1.png",
        "language": "en", "published_at": "2026-03-01T08:00:00Z",
    },
    ("POST", "/topics"): {
        "slug": "air", "query": "plane", "name": "Air", "description": "D", "language": "en", "is_public": True,
    },
    ("PATCH", "/topics/air"): {"query": "plane", "name": "Air", "description": "D", "language": "", "is_paused": True},
    ("POST", "/topics/test"): {"query": "plane", "language": "en", "text": {"title": "T", "body": "B", "tags": ["t"]}},
    ("POST", "/subscribers"): {
        "email": "bob@reader.example", "name": "Bob", "timezone": "Europe/London", "locale": "en",
        "cadence": "instant", "topics": [{"topic": "sea", "cadence": "instant"}], "consent": "by phone",
        "confirm": False, "ip": "192.0.2.7",
    },
    ("PATCH", "/subscribers/1"): {"name": "Ann", "timezone": "UTC", "locale": "en", "cadence": "instant"},
    ("PUT", "/subscribers/1/subscriptions/sea"): {"cadence": "instant"},
    ("POST", "/deliveries/1/retry"): {"hours": 1},
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), list(BODIES))
async def test_no_value_of_any_field_is_a_mistake_of_ours(shop: Program, method: str, path: str) -> None:
    await shop.post("/topics", {"slug": "air", "query": "plane"})
    good = BODIES[method, path]
    limit = asyncio.Semaphore(4)

    async def send(name: str, value: object) -> None:
        async with limit:
            told = await shop.ask(method, path, good | {name: value})
        assert told.status < 500, (name, repr(value)[:60], told.text)
        assert told.status < 400 or told.is_problem
        json.loads(told.text or "null")

    for name in good:
        values = [*TEXTS, *ODD, *([text] for text in TEXTS[:3]), *([{"topic": text}] for text in TEXTS[:3])]
        await asyncio.gather(*(send(name, value) for value in values))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nul", b"\xff\xfe", b'{"title": "\xff"}', b"[" * 100_000, b'{"a":' * 50_000, b"9" * 6000,
     b'{"title": NaN}', b'{"title": Infinity}', b'{"title": 1e999}', b'{"\\ud800": 1}', b'{"a~/b": 1}', b"[{}]",
     b'"title"', b'{"title": "a", "title": "\\u0000"}', '{"title": "ü"}'.encode("utf-16"), b"\xef\xbb\xbf{}"],
    ids=range(18),
)  # fmt: skip
async def test_no_body_is_a_mistake_of_ours(shop: Program, raw: bytes) -> None:
    told = await shop.ask("POST", "/articles", raw=raw)
    assert told.status in (201, 400, 422), told.text
    assert told.status == 201 or told.is_problem


async def test_what_is_no_json_and_what_is_too_much_is_refused(shop: Program) -> None:
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
        "a/b/c",
    ):
        told = await shop.ask("POST", "/articles", raw=b'{"title": "One"}', content_type=kind)
        assert told.status == 415, kind
        assert told.is_problem
    told = await shop.ask("POST", "/articles", raw=b'{"title": "One"}', content_type="application/json; charset=utf-8")
    assert told.status == 201
    told = await shop.ask("POST", "/articles", raw=b"x" * 2_100_000)
    assert told.status == 413
    assert told.headers["content-type"] == "application/problem+json"


async def test_addresses_that_lead_nowhere_are_problems_too(shop: Program) -> None:
    numbers = (
        "0",
        "-1",
        "x",
        "1.5",
        "%00",
        "99999999999999999999",
        str(2**31),
        str(2**63),
        "%F0%9F%90%B4",
        "1/2",
        "1%2F2",
    )
    for kind in ("articles", "subscribers", "deliveries", "digests"):
        for number in numbers:
            told = await shop.get(f"/{kind}/{number}")
            assert told.status == 404, (kind, number)
            assert told.is_problem
    for slug in ("%00", "UPPER", "a_b", "x" * 65, "%ED%A0%80", quote("ü"), "-"):
        for path in (f"/topics/{slug}", f"/subscribers/1/subscriptions/{slug}"):
            told = await shop.get(path)
            assert told.status == 404, path
            assert told.is_problem
    for path in ("", "/", "/nothing", "/articles/", "/../v2/articles", "/status/x"):
        assert (await shop.get(path)).status == 404, path
    for path in ("/api/", "/api/v2/articles", "/api/v10"):
        got = await shop.client.get(path)
        assert (got.status, got.headers["content-type"]) == (404, "application/problem+json"), path


async def test_a_method_that_an_address_does_not_take_is_told_which_ones_it_does(shop: Program) -> None:
    for method, path, allowed in (
        ("PUT", "/articles", "GET, POST"),
        ("POST", "/articles/1", "DELETE, GET"),
        ("TRACE", "/topics/sea", "DELETE, GET, PATCH"),
        ("DELETE", "/openapi.json", "GET"),
        ("QUERY", "/status", "GET"),
    ):
        told = await shop.ask(method, path)
        assert (told.status, told.headers["allow"]) == (405, allowed)
        assert told.is_problem


FILTERS = {
    "/articles": ("source", "topic", "since"),
    "/topics": (),
    "/subscribers": ("email", "status", "topic"),
    "/deliveries": ("status", "kind", "subscriber", "since"),
    "/digests": ("since",),
}


async def test_no_query_is_a_mistake_of_ours(shop: Program) -> None:
    texts = ["%00", "%FF", "%ED%A0%80", "%", "x" * 5000, "1'--", "%0d%0aSet-Cookie:%20a=b", "-1", str(HUGE)]

    async def send(path: str, name: str, text: str) -> None:
        told = await shop.get(f"{path}?{name}={text}&{name}=again&limit=1")
        assert told.status < 500, (path, name, text, told.text)
        assert told.status < 400 or told.is_problem
        assert "set-cookie" not in told.headers

    for path, names in FILTERS.items():
        for name in (*names, "cursor", "a[b]"):
            await asyncio.gather(*(send(path, name, text) for text in texts))


async def test_one_who_reads_articles_learns_of_nobody(shop: Program) -> None:
    """Numbers are guessable: what protects a row is the scope, for every way that leads to it."""
    press = await shop.with_scopes(
        "press", "articles:read", "articles:write", "topics:read", "digests:read", "status:read"
    )
    for path in ("/subscribers", "/subscribers/1", "/subscribers/1/subscriptions", "/subscribers/1/subscriptions/sea",
                 "/deliveries", "/deliveries/1"):  # fmt: skip
        assert (await press.get(path)).status == 403
    for path in ("/articles", "/topics", "/digests", "/status"):
        assert "reader.example" not in (await press.get(path)).text


async def test_a_token_is_never_given_back(shop: Program) -> None:
    for path in (f"/{shop.token}", f"/articles?source={shop.token}", f"/topics/{shop.token}"):
        told = await shop.get(path)
        told_without_path = told.json | {"instance": ""}
        assert told.status in (404, 422)
        assert path == f"/articles?source={shop.token}" or shop.token not in json.dumps(told_without_path)
    got = await shop.client.get(ROOT + "/status", headers={"authorization": f"Bearer {shop.token}"})
    assert shop.token not in got.text + str(got.headers)
    assert got.headers["cache-control"] == "no-store"
