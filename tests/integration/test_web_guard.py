"""The guard: sizes, slowness, floods, headers; what is not there; and never a word about our insides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders import settings, world
from web_app import Client, serving

from dispatcher.web import guard, server
from dispatcher.web.guard import FORM_LIMIT


@asynccontextmanager
async def pages(tmp_path: Path, now: datetime, **sections: Any) -> AsyncIterator[Client]:
    web = {"url": "http://127.0.0.1:8080", **sections.pop("web", {})}
    async with world(settings(tmp_path, web=web, **sections), now) as ctx, serving(ctx) as client:
        yield client


async def raw(client: Client, *pieces: bytes, patience: float = 5) -> bytes:
    """What the server says to octets sent as they are, until it hangs up."""
    where = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(patience):
        answer = await reader.read()
    writer.close()
    return answer


async def test_every_answer_says_how_it_wants_to_be_treated(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now, web={"url": "https://letters.example"}) as client:
        for path in ("/health", "/nothing", "/static/page.css", "/", "/api/v1/nothing"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert headers["referrer-policy"] == "no-referrer", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["strict-transport-security"] == "max-age=31536000", path
            assert "server" not in headers, path
            assert ("no-store" in headers["cache-control"]) != path.startswith("/static"), path


async def test_without_https_nobody_is_told_to_insist_on_it(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now) as client:
        assert "strict-transport-security" not in (await client.get("/health")).headers


async def test_what_is_not_there_is_told_in_words_and_in_the_visitors_language(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now) as client:
        missing = await client.get("/no/such/page")
        assert (missing.status, "There is nothing here" in missing.text) == (404, True)
        wrong = await client.post("/health")
        assert (wrong.status, "cannot be opened so" in wrong.text) == (405, True)
        for path in (
            "/static/../app.py",
            "/static/%2e%2e/app.py",
            "/static/..%2f..%2ferrors.py",
            "/static//etc/passwd",
        ):
            assert (
                await raw(client, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            ).startswith(b"HTTP/1.1 404"), path


async def test_a_path_before_ours_is_taken_off_whether_a_proxy_did_it_or_not(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now, web={"url": "https://news.example/letters/"}) as client:
        assert (await client.get("/letters/health")).status == 200
        assert (await client.get("/health")).status == 200
        assert (await client.get("/")).headers["location"] == "/letters/subscribe"
        assert 'href="/letters/static/page.css' in (await client.get("/nothing")).text
        assert (await client.get("/lettershealth")).status == 404


async def test_a_body_that_is_too_large_is_refused_however_it_comes(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now) as client:
        assert (await client.post("/subscribe", b"x" * (FORM_LIMIT + 1))).status == 413

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * (FORM_LIMIT // 10)

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await client.ask("POST", "/subscribe", data=endless(), headers=form)).status == 413
        assert (await client.get("/health")).status == 200


async def test_one_who_sends_slowly_or_without_end_does_not_keep_a_connection(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.2)
    monkeypatch.setattr(guard, "BODY_WITHIN", 0.2)
    async with pages(tmp_path, now) as client:
        assert await raw(client) == b"", "says nothing"
        assert await raw(client, b"GET /health HTTP/1.1\r\nHo") == b"", "never finishes the head"
        head = b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        slow = await raw(client, head + b"Content-Length: 100\r\n\r\n" + b"a=")
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert (await client.get("/health")).status == 200


async def test_a_head_without_end_is_cut_off(tmp_path: Path, now: datetime) -> None:
    async def shout(writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            writer.write(b"X" * 8192)
            await writer.drain()
            await asyncio.sleep(0)

    async with pages(tmp_path, now) as client:
        where = urlsplit(client.url)
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        with pytest.raises(ConnectionError):
            await shout(writer)
        assert (await client.get("/health")).status == 200


async def test_requests_that_follow_one_another_on_a_connection_are_all_answered(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now) as client:
        one = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await raw(client, one + one + last)).count(b'{"status":"ok"}') == 3


async def test_a_network_that_asks_too_much_is_told_to_wait_and_departures_are_never_counted(
    tmp_path: Path, now: datetime
) -> None:
    async with pages(tmp_path, now, web={"requests_per_minute": 5, "trusted_proxies": ["127.0.0.1"]}) as client:
        flood = {"X-Forwarded-For": "203.0.113.5"}
        answers = [(await client.get("/nothing", headers=flood)).status for _ in range(8)]
        assert answers == [404] * 5 + [429] * 3
        refused = await client.get("/nothing", headers={"X-Forwarded-For": "203.0.113.99"})
        assert (refused.status, int(refused.headers["retry-after"]) > 0) == (429, True), "the same network"
        assert (await client.get("/nothing", headers={"X-Forwarded-For": "198.51.100.1"})).status == 404
        forged = {"X-Forwarded-For": "192.0.2.1, 203.0.113.5"}
        assert (await client.get("/nothing", headers=forged)).status == 429, "what the visitor says is not believed"
        assert {(await client.post("/u/forged", headers=flood)).status for _ in range(20)} & {429} == set()
        program = await client.get("/api/v1/nothing", headers=flood)
        assert program.status != 429, "programs have a bucket of their own"


async def test_hanging_up_in_the_middle_is_nobodys_error(
    tmp_path: Path, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    async with pages(tmp_path, now) as client:
        where = urlsplit(client.url)
        for _ in range(5):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            await writer.drain()
            writer.transport.abort()
        assert (await client.get("/health")).status == 200
    assert "Traceback" not in caplog.text


async def test_odd_octets_are_no_server_error(tmp_path: Path, now: datetime) -> None:
    async with pages(tmp_path, now) as client:
        for piece in (
            b"\x00\xff\xfe\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello",
            b"POST /u/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"GET /%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET /subscribe?q=%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET /nothing HTTP/1.1\r\nHost: x\r\nAccept-Language: \xff\xfe;q=x\r\nConnection: close\r\n\r\n",
        ):  # fmt: skip
            async with asyncio.timeout(30):
                where = urlsplit(client.url)
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
                writer.write(piece)
                writer.write_eof()
                answer = await reader.read()
                writer.close()
            assert not answer.startswith(b"HTTP/1.1 5"), piece


async def test_the_guard_lets_two_servers_live_side_by_side_and_names_a_port_in_use(
    tmp_path: Path, now: datetime
) -> None:
    from dispatcher.errors import ListenError

    async with world(settings(tmp_path), now) as ctx, server.serving(ctx, "127.0.0.1:0") as url:
        with pytest.raises(ListenError, match="choose another address or port"):
            async with server.serving(ctx, url.removeprefix("http://")):
                pass
        with pytest.raises(ListenError):
            async with server.serving(ctx, "203.0.113.1:80"):
                pass
        async with server.serving(ctx, "127.0.0.1:0") as other:
            assert other != url
