"""The HTTP client against a real server on loopback that behaves and misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from web_server import Page, WebServer, drip, pour, reset, saying

from dispatcher.sources.http import Failure, Fetcher, Response

FEED = b'<rss version="2.0"><channel><title>T</title></channel></rss>'


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        server.pages["/feed.xml"] = Page(FEED)
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    limits = {"max_bytes": 200_000, "max_decoded": 2_000_000}
    async with Fetcher("dispatcher-test/1", timeout=5, connect_timeout=2, **limits) as made:
        yield made


async def ok(fetcher: Fetcher, url: str, **arguments: str) -> Response:
    answer = await fetcher.get(url, allow_private=True, **arguments)
    assert isinstance(answer, Response), answer
    return answer


async def failed(fetcher: Fetcher, url: str) -> Failure:
    answer = await fetcher.get(url, allow_private=True)
    assert isinstance(answer, Failure), answer
    assert answer.reason
    return answer


async def test_a_feed_is_fetched_with_our_name_and_without_cookies(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"].headers["Set-Cookie"] = "a=b"
    for _ in range(2):
        answer = await ok(fetcher, web.url())
    assert (answer.status, answer.body, answer.url) == (200, FEED, web.url())
    assert answer.headers["content-type"] == "application/xml"
    assert web.requests[-1].headers["User-Agent"] == "dispatcher-test/1"
    assert "Cookie" not in web.requests[-1].headers


async def test_validators_are_sent_back_verbatim_and_304_has_no_body(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"].has_validators = True
    first = await ok(fetcher, web.url())
    again = await ok(fetcher, web.url(), etag=first.etag, last_modified=first.last_modified)
    assert (again.status, again.body) == (304, b"")
    assert web.requests[-1].headers["If-None-Match"] == first.etag
    assert web.requests[-1].headers["If-Modified-Since"] == first.last_modified


async def test_a_changed_feed_is_fetched_whole(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"].has_validators = True
    etag = (await ok(fetcher, web.url())).etag
    web.pages["/feed.xml"].body = FEED + b" "
    assert (await ok(fetcher, web.url(), etag=etag)).body == FEED + b" "


async def test_a_304_nobody_asked_for_is_a_failure(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"] = Page(status=304)
    assert (await failed(fetcher, web.url())).status == 304


async def test_a_validator_that_could_not_be_sent_back_is_forgotten(web: WebServer, fetcher: Fetcher) -> None:
    url = await web.raw(saying(b'HTTP/1.1 200 OK\r\nETag: "\xff\xe9"\r\nContent-Length: 2\r\n\r\nok'))
    assert (await ok(fetcher, url)).etag == ""


async def test_redirects_are_followed_to_the_final_address(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/old"] = Page(status=301, headers={"Location": "/older"})
    web.pages["/older"] = Page(status=307, headers={"Location": web.url()})
    assert (await ok(fetcher, web.url("/old"))).url == web.url()


async def test_a_redirect_loop_ends(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert "5 redirects" in (await failed(fetcher, web.url("/loop"))).reason
    assert len(web.requests) == 6


@pytest.mark.parametrize(
    "location", ["", "file:///etc/passwd", "ftp://a.example/", "http://u:p@127.0.0.1/", "http://[::1"]
)
async def test_a_redirect_to_nowhere_good_is_refused(web: WebServer, fetcher: Fetcher, location: str) -> None:
    web.pages["/feed.xml"] = Page(status=302, headers={"Location": location} if location else {})
    assert "redirected" in (await failed(fetcher, web.url())).reason


def port_of_nobody() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
     "0.0.0.0", "[::]", "10.0.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]",
     "[2002:7f00:1::]", "[2001::1]", "192.0.0.8", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
async def test_no_form_of_a_private_address_is_reached(web: WebServer, host: str) -> None:
    async with Fetcher("t/1", timeout=5, ports=frozenset({web.port})) as fetcher:
        answer = await fetcher.get(f"http://{host}:{web.port}/feed.xml")
    assert isinstance(answer, Failure)
    assert not answer.is_permanent
    assert web.requests == []
    if host not in ("[::]", "0x7f000001", "0177.0.0.1"):  # what these mean is up to the machine's resolver
        assert "refused to connect" in answer.reason or "not a canonical IPv4 address" in answer.reason


async def test_a_name_that_leads_to_a_private_address_is_refused_when_connecting(web: WebServer) -> None:
    async with Fetcher("t/1", timeout=5, ports=frozenset({web.port})) as fetcher:
        answer = await fetcher.get(f"http://localhost:{web.port}/feed.xml")
    assert isinstance(answer, Failure)
    assert "refused to connect to" in answer.reason


async def test_link_local_addresses_stay_closed_even_to_a_trusted_source(fetcher: Fetcher) -> None:
    assert "link-local" in (await failed(fetcher, "http://169.254.169.254/latest/meta-data/")).reason


async def test_a_connection_of_a_trusted_source_is_not_lent_to_another(web: WebServer) -> None:
    async with Fetcher("t/1", timeout=5, ports=frozenset({web.port})) as fetcher:
        await ok(fetcher, web.url())
        assert isinstance(await fetcher.get(web.url()), Failure)
    assert len(web.requests) == 1


async def test_other_ports_are_for_trusted_sources(web: WebServer) -> None:
    async with Fetcher("t/1") as fetcher:
        answer = await fetcher.get(web.url())
    assert isinstance(answer, Failure)
    assert "allow_private" in answer.reason


async def test_proxies_of_the_environment_are_not_used(
    web: WebServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port_of_nobody()}")
    assert (await ok(fetcher, web.url())).status == 200


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(FEED, mtime=0)),
        ("x-gzip", gzip.compress(FEED, mtime=0)),
        ("gzip", gzip.compress(FEED[:20], mtime=0) + gzip.compress(FEED[20:], mtime=0)),
        ("gzip", gzip.compress(FEED, mtime=0) + b"\0" * 10),
        ("deflate", zlib.compress(FEED)),
        ("deflate", zlib.compress(FEED)[2:-4]),
        ("identity", FEED),
    ],
)
async def test_a_packed_feed_is_unpacked(web: WebServer, fetcher: Fetcher, encoding: str, packed: bytes) -> None:
    web.pages["/feed.xml"] = Page(packed, headers={"Content-Encoding": encoding})
    assert (await ok(fetcher, web.url())).body == FEED


async def test_a_large_packed_feed_is_unpacked_whole(web: WebServer, fetcher: Fetcher) -> None:
    body = b"".join(b"<item>%d</item>" % (n * 7919) for n in range(80_000))
    web.pages["/feed.xml"] = Page(gzip.compress(body, mtime=0), headers={"Content-Encoding": "gzip"})
    async with Fetcher("t/1") as roomy:
        assert (await ok(roomy, web.url())).body == body


@pytest.mark.parametrize(
    ("encoding", "packed", "why"),
    [
        ("gzip", b"not gzip at all", "not packed as it says"),
        ("gzip", gzip.compress(FEED, mtime=0)[:-12], "broke off"),
        ("br", b"\x0b\x02", "did not ask for"),
        ("gzip", gzip.compress(b"\0" * 1_900_000, mtime=0), "100 times"),
        ("gzip", gzip.compress(bytes(range(250)) * 10_000, 1), "more than 2,000,000 bytes"),
    ],
)
async def test_a_badly_packed_feed_is_a_failure(
    web: WebServer, fetcher: Fetcher, encoding: str, packed: bytes, why: str
) -> None:
    web.pages["/feed.xml"] = Page(packed, headers={"Content-Encoding": encoding})
    assert why in (await failed(fetcher, web.url())).reason


async def test_a_body_too_large_is_refused_by_its_header(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"] = Page(b" " * 200_001)
    assert "larger than 200,000 bytes" in (await failed(fetcher, web.url())).reason


async def test_a_body_without_end_is_given_up_at_the_limit(web: WebServer, fetcher: Fetcher) -> None:
    assert "larger than 200,000 bytes" in (await failed(fetcher, await web.raw(pour))).reason


async def test_a_body_that_drips_is_given_up_in_time(web: WebServer) -> None:
    async with Fetcher("t/1", timeout=0.3) as impatient:
        assert "within 0.3 seconds" in (await failed(impatient, await web.raw(drip))).reason


async def test_a_server_that_says_nothing_is_given_up_in_time(web: WebServer) -> None:
    async def sleep(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Fetcher("t/1", timeout=0.3) as impatient:
        assert "within 0.3 seconds" in (await failed(impatient, await web.raw(sleep))).reason


async def test_a_connection_reset_is_a_failure(web: WebServer, fetcher: Fetcher) -> None:
    assert not (await failed(fetcher, await web.raw(reset))).is_permanent


async def test_nobody_listening_is_a_failure(fetcher: Fetcher) -> None:
    assert "no connection to" in (await failed(fetcher, f"http://127.0.0.1:{port_of_nobody()}/")).reason


async def test_a_host_that_does_not_exist_is_a_failure(fetcher: Fetcher) -> None:
    assert "nowhere.invalid" in (await failed(fetcher, "http://nowhere.invalid/")).reason


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200\r\nContent-Length: nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 99999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"\xff\xfe\x00",
    ],
)
async def test_an_answer_that_is_not_http_is_a_failure(web: WebServer, fetcher: Fetcher, answer: bytes) -> None:
    assert (await failed(fetcher, await web.raw(saying(answer)))).reason


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503, 599, 204, 206])
async def test_a_refusal_is_a_passing_failure_with_its_code(web: WebServer, fetcher: Fetcher, status: int) -> None:
    web.pages["/feed.xml"] = Page(status=status)
    failure = await failed(fetcher, web.url())
    assert (failure.status, failure.is_permanent, failure.retry_after) == (status, False, None)
    assert str(status) in failure.reason


async def test_gone_is_for_good(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"] = Page(status=410)
    assert (await failed(fetcher, web.url())).is_permanent


async def test_retry_after_is_read_as_seconds_and_as_a_date(web: WebServer, fetcher: Fetcher) -> None:
    web.pages["/feed.xml"] = Page(status=429, headers={"Retry-After": "90"})
    assert (await failed(fetcher, web.url())).retry_after == timedelta(seconds=90)
    web.pages["/feed.xml"] = Page(status=503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})
    retry_after = (await failed(fetcher, web.url())).retry_after
    assert retry_after is not None
    assert retry_after > timedelta(days=365)
