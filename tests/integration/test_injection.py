"""Smuggling and injection: whatever stands in any field, every server sees one message, for the right recipient.

The corpus goes from a feed on disk, and from names written straight into the database, through ingest, plan and send
to real servers: aiosmtpd, a strict one with pipelines and chunks, and a sloppy one that ends a message wherever any
server in the world might. S8, S9, CVE-2023-51764 to 51766.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import settings, subscriber, topic, world
from raw_smtp import CHUNKING, OFFERS, RawServer
from sloppy_smtp import SloppyServer
from smtp_server import SmtpServer

from dispatcher.config import Checks, load
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.signing_key import make_ed25519
from dispatcher.delivery.smtp import SmtpTransport
from dispatcher.digest.assembly import assemble
from dispatcher.digest.wire import Wire
from dispatcher.errors import ConfigError
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.outbound import Delivery, Newsletter
from dispatcher.model.values import DeliveryStatus, LetterName
from dispatcher.pipeline import letters, wires
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.pipeline.signing import Signer, signed
from dispatcher.schedule import cadence
from dispatcher.store.engine import many, table
from dispatcher.topics import parser

SLOT = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
SENDER, VICTIM = "news@gazette.example", "victim@evil.example"
SMUGGLED = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{VICTIM}>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo\r\n.\r\n"
ENDS = ("\n", "\r", "\r\n")
POSTAL_ADDRESS = f"1 Square\n.\n..\n{SMUGGLED.replace(chr(13), '')}\nEnd of address"
LINE_ENDS = (*ENDS, "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
CONTROL_CHARACTERS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
POISONS = (
    *(f"{before}.{after}" for before in ENDS for after in ENDS),
    *(f"{before}.{after}{SMUGGLED}" for before in ENDS for after in ENDS),
    *(f"{before}..{after}" for before in ENDS for after in ENDS),
    "\r\n.\r\n.\r\n", "\n.\n\n.\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\x00\n.\r\n", ".", "..", ".\n", "\n.", "\r.",
    "=\n.\n", "\r\nDATA\r\n.\r\nQUIT\r\n", "\r\nRSET\r\n", "\r\nBDAT 4 LAST\r\nevil", "\nFrom the desk",
    "From the desk", *(f"{end}Bcc: {VICTIM}" for end in LINE_ENDS),
    *(f"{end} Bcc: {VICTIM}" for end in ENDS),
    *(f"{end}{end}<p>a body of its own</p>" for end in ENDS),
    f": Bcc: {VICTIM}", f"Bcc: {VICTIM}", f"Bcc:{VICTIM}\r\nBcc: {VICTIM}", "\r\nSubject: another",
    "\r\n\tfolded", "\r\n folded", "\r\nContent-Type: text/html", "\r\nDKIM-Signature: v=1; b=x",
    '\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n--x',
    f"=?utf-8?q?=0D=0ABcc:_{VICTIM}?=", "=?utf-8?b?DQpCY2M6IHZpY3RpbUBldmlsLmV4YW1wbGU=?=", "=?utf-8?q?half", "?==?=",
    f'" <{VICTIM}>', f"<{VICTIM}>", f", {VICTIM}", f'\\" <{VICTIM}>, "', f"({VICTIM})", f"group: {VICTIM};", "\\\r\n",
    *(".".join(CONTROL_CHARACTERS[start : start + 8]) for start in range(0, len(CONTROL_CHARACTERS), 8)),
    "\u202e\u2066", "\ufeff", "\ufffe", "\uff0d\uff1a", f"\u560a\u560dBcc: {VICTIM}", "\ud800.\udfff",
    "a" * 5000, "word " * 2000, "\u6771" * 1500,
    "{{ 7 * 7 }}", "{% personal %}{{ subscriber }}{% endpersonal %}", "%0d%0aBcc:x", "\\r\\nBcc: x", "&#13;&#10;Bcc: x",
)  # fmt: skip
NOT_IN_NAMES = r"[\x00-\x1f\x7f-\x9f]"
WRITABLE = tuple(poison.encode("utf-8", "replace").decode() for poison in POISONS)
"""As a database can hold them."""

FIELDS = {
    "dkim-signature", "from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post",
    "reply-to", "list-id", "list-post", "feedback-id", "precedence", "auto-submitted", "mime-version", "content-type",
}  # fmt: skip
OF_A_LETTER = FIELDS - {
    "list-unsubscribe", "list-unsubscribe-post", "list-id", "list-post", "feedback-id", "precedence",
}  # fmt: skip
VERBS = {"EHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT", "NOOP", "BDAT"}
SERVERS = ("aiosmtpd", "pipelined", "chunked", "plain", "sloppy-pipelined", "sloppy-plain")


@asynccontextmanager
async def server_of(kind: str) -> AsyncIterator[Any]:
    """A server of each kind."""
    made: dict[str, Any] = {
        "aiosmtpd": SmtpServer,
        "pipelined": lambda: RawServer(offers=OFFERS),
        "chunked": lambda: RawServer(offers=CHUNKING),
        "plain": lambda: RawServer(offers=("SIZE 33554432", "8BITMIME")),
        "sloppy-pipelined": lambda: SloppyServer("PIPELINING", "8BITMIME"),
        "sloppy-plain": lambda: SloppyServer("8BITMIME"),
    }
    async with made[kind]() as server:
        yield server


def transport_to(server: Any) -> SmtpTransport:
    return SmtpTransport(Relay(server.host, server.port, helo="client.test", timeout=10, max_connections=3))


def address(number: int) -> str:
    return f"r{number}@reader.example"


def feed(path: Path) -> Path:
    """One article for each poison, poisoned in everything that a feed can say."""
    items = [
        {
            "id": f"item{number}{poison}",
            "url": f"https://gazette.example/{number}?q={poison[:80]}",
            "title": f"Word{number} {poison} badger",
            "summary": f"Summary {poison} of{number}",
            "content_text": f"Begin{number} {poison} end{number}.\n{poison}",
            "tags": [poison, f"tag{poison}"],
            "authors": [{"name": f"Author {poison}"}],
            "image": f"https://gazette.example/{number}.png?{poison[:80]}",
            "date_published": (SLOT - timedelta(hours=2)).isoformat(),
        }
        for number, poison in enumerate(POISONS)
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": f"Feed{POISONS[3]}", "items": items}
    path.write_text(json.dumps(feed), encoding="utf-8")
    return path


@asynccontextmanager
async def poisoned(folder: Path, server: Any, *, past_the_door: bool) -> AsyncIterator[Context]:
    """A newsletter with one topic and one reader for each poison, all that they are called poisoned as well.

    Every door refuses control characters in names, and digests are composed of shared pieces; `past_the_door` they are
    in the database all the same, and digests are rendered in full.
    """
    numbers = range(len(POISONS))
    chosen = settings(
        folder, f"sqlite:///{folder}/subscribers.db",
        site={"name": "The =?utf-8?q?Gazette?= \u2028 Bcc: x", "postal_address": POSTAL_ADDRESS},
        mail={"from": f"The Gazette <{SENDER}>", "reply_to": "Desk \u2028, <desk@gazette.example>"},
        web={"url": "https://letters.gazette.example"},
        sources=[{"name": "Us \u2028 Bcc: x", "url": feed(folder / "feed.json").as_uri(), "tags": ["a \u2028."]}],
        topics=[topic(f"t{number}", f"word{number}") for number in numbers],
        subscribers=[subscriber(address(number), f"t{number}", timezone="UTC") for number in numbers],
    )  # fmt: skip
    async with world(chosen, SLOT - timedelta(hours=1), transport=transport_to(server)) as ctx:  # type: ignore[arg-type]
        ctx.signer = Signer([make_ed25519("gazette.example", "s1")])
        async with ctx.store.write() as tx:
            for number, poison in enumerate(WRITABLE):
                name = f"Name{poison if past_the_door else re.sub(NOT_IN_NAMES, '', poison)}"
                await tx.execute(sa.update(table(Topic)).where(table(Topic).c.slug == f"t{number}").values(name=name))
                mine = table(Subscriber).c.email == address(number)
                await tx.execute(sa.update(table(Subscriber)).where(mine).values(name=name))
        await ingest(ctx, SLOT - timedelta(hours=1), everything=True)
        yield ctx


def check_message(data: bytes, recipient: str, fields: set[str]) -> EmailMessage:
    """One well-formed message, with the right header fields once each, and nothing that any server could end early."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", data), recipient
    assert data.isascii()
    assert not any(line.startswith(b".") for line in data.split(b"\r\n")), recipient
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0]
    names = Counter(re.findall(r"^([^\s:]+):", head.decode(), flags=re.MULTILINE))
    assert {name.lower(): count for name, count in names.items()} == dict.fromkeys(fields, 1), recipient
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert [one.addr_spec for one in parsed["To"].addresses] == [recipient]
    assert [one.addr_spec for one in parsed["From"].addresses] == [SENDER]
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert not parsed.defects
    return parsed


def check_server(server: Any) -> None:
    """It heard nothing but what a client says that sends one message after the other."""
    lines = [line if isinstance(line, str) else line[1] for line in server.commands]
    verbs = Counter(line.partition(" ")[0].upper() for line in lines)
    assert set(verbs) <= VERBS
    assert verbs["MAIL"] == verbs["RCPT"] == len(server.messages) == verbs["DATA"] + verbs["BDAT"]
    assert VICTIM not in " ".join(lines)
    assert {message.envelope_from for message in server.messages} == {SENDER}
    assert not getattr(server, "faults", [])


@pytest.mark.parametrize(
    ("kind", "past_the_door"), [*((kind, False) for kind in SERVERS), ("chunked", True), ("sloppy-pipelined", True)]
)
async def test_s8_whatever_a_feed_and_names_hold_every_server_sees_one_message_for_the_right_reader(
    tmp_path: Path, kind: str, past_the_door: bool
) -> None:
    async with server_of(kind) as server, poisoned(tmp_path, server, past_the_door=past_the_door) as ctx:
        assert (await plan(ctx, SLOT)).deliveries == len(POISONS)
        report = await send(ctx, SLOT)
        assert (report.sent, report.failed, report.deferred) == (len(POISONS), 0, 0)
        got = {message.recipients: message.data for message in server.messages}
        assert set(got) == {(address(number),) for number in range(len(POISONS))}
        check_server(server)
        kept = await _wires(ctx)
        for number in range(len(POISONS)):
            data = _whole(got[address(number),])
            parsed = check_message(data, address(number), FIELDS)
            text, html = (parsed.get_body((kind,)) for kind in ("plain", "html"))
            assert text is not None
            assert html is not None
            assert f"word{number}" in str(parsed["Subject"]).lower()
            for body in (text.get_content(), html.get_content()):
                assert f"of{number}" in body or f"end{number}" in body or len(POISONS[number]) > 300, "cut by nobody"
                assert "End of address" in body, "to the very end"
            assert await _as_assembled(ctx, kept, address(number)) == data, "not an octet more or less"


async def _wires(ctx: Context) -> Any:
    async with ctx.store.read() as tx:
        rows = await many(tx, Delivery)
    return await wires.load(ctx, sorted({row.digest_id for row in rows if row.digest_id}))


async def _as_assembled(ctx: Context, kept: Any, recipient: str) -> bytes:
    """The message as it was handed over."""
    async with ctx.store.read() as tx:
        (row,) = await many(tx, Delivery, table(Delivery).c.recipient == recipient)
    wire = kept[row.digest_id]
    assert isinstance(wire, Wire), wire
    message = assemble(wire, wires.envelope_of(row, wire, ctx.keyring))
    return signed(ctx.signer, row, message, ctx.addresses(None).domain, by=wire.door.signed_by)


def _whole(data: bytes) -> bytes:
    """A message with the line end before the final dot, which some servers count to the dot."""
    return data if data.endswith(b"\r\n") else data + b"\r\n"


@pytest.mark.parametrize("kind", ["aiosmtpd", "chunked", "sloppy-pipelined"])
async def test_s8_nor_can_the_newsletters_own_names_and_address_end_a_letter(tmp_path: Path, kind: str) -> None:
    async with server_of(kind) as server, AsyncExitStack() as stack:
        chosen = settings(
            tmp_path, f"sqlite:///{tmp_path}/subscribers.db", web={"url": "https://letters.gazette.example"}
        )
        ctx = await stack.enter_async_context(world(chosen, SLOT, transport=transport_to(server)))  # type: ignore[arg-type]
        ctx.signer = Signer([make_ed25519("gazette.example", "s1")])
        known = ctx.newsletter.model_dump()
        for number, poison in enumerate(WRITABLE):
            named = {
                "name": f"The{poison}",
                "postal_address": f"1 {poison} End",
                "reply_to": "Desk <desk@gazette.example>",
            }
            ctx.newsletter = Newsletter(**known | named)
            ctx.publications = replace(ctx.publications, by_id={ctx.newsletter.id or 0: ctx.newsletter})
            async with ctx.store.write() as tx:
                await letters.post(ctx, tx, LetterName.CONFIRM, to=address(number), key=f"confirm:{number}", now=SLOT,
                                   name=f"Ann{poison}", topics=[f"Topic{poison}", poison])  # fmt: skip
            assert (await send(ctx, SLOT)).sent == 1, repr(poison)
        assert [message.recipients for message in server.messages] == [(address(n),) for n in range(len(WRITABLE))]
        check_server(server)
        for message in server.messages:
            check_message(_whole(message.data), message.recipients[0], OF_A_LETTER)


@pytest.mark.parametrize("kind", ["pipelined", "chunked", "sloppy-plain"])
async def test_s9_an_address_that_holds_what_none_may_fails_with_words_and_says_nothing_to_the_server(
    tmp_path: Path, kind: str
) -> None:
    poisons = [poison for poison in WRITABLE if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029<>]", poison)]
    numbers = range(len(poisons))
    async with server_of(kind) as server, AsyncExitStack() as stack:
        chosen = settings(tmp_path, f"sqlite:///{tmp_path}/subscribers.db")
        ctx = await stack.enter_async_context(world(chosen, SLOT, transport=transport_to(server)))  # type: ignore[arg-type]
        for number in numbers:
            async with ctx.store.write() as tx:
                await letters.post(ctx, tx, LetterName.CONFIRM, to=address(number), key=f"c:{number}", now=SLOT)
        rows = table(Delivery)
        async with ctx.store.write() as tx:
            for number, poison in enumerate(poisons):
                split = f"r{number}{poison}@reader.example", f"r{number}@reader{poison}.example"
                change = sa.update(rows).where(rows.c.recipient == address(number))
                await tx.execute(change.values(recipient=split[number % 2]))
        report = await send(ctx, SLOT)
        assert (report.sent, report.failed) == (0, len(poisons))
        async with ctx.store.read() as tx:
            found = await many(tx, Delivery)
        assert {row.status for row in found} == {DeliveryStatus.FAILED}
        assert all("is no address" in row.reason for row in found)
        assert not server.messages
        assert VICTIM not in str(server.commands)
        assert {
            str(line[1] if isinstance(line, tuple) else line).partition(" ")[0] for line in server.commands
        } <= VERBS


async def test_the_sloppy_server_really_can_be_fooled() -> None:
    async with SloppyServer() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{address(1)}>\r\nDATA\r\nHi\n.\r\n{SMUGGLED}QUIT\r\n".encode())
        await reader.read()
        writer.close()
    assert [message.recipients for message in server.messages] == [(address(1),), (VICTIM,)]


CONTROLS = ("\r\nBcc: x", "\nBcc: x", "\rBcc: x", "\x00", "\x1b[2J", "\x7f", "\x85Bcc: x")
PLACES = {
    "site.name": "[site]\nname = {}",
    "site.url": "[site]\nurl = {}",
    "mail.from": "[mail]\nfrom = {}",
    "mail.reply_to": "[mail]\nreply_to = {}",
    "mail.list_id": "[mail]\nlist_id = {}",
    "web.url": "[web]\nurl = {}",
    "sources[0].name": "[[sources]]\nurl = 'news'\nname = {}",
    "sources[0].tags[0]": "[[sources]]\nname = 'News'\nurl = 'news'\ntags = [{}]",
    "topics[0].slug": "[[topics]]\nquery = '*'\nslug = {}",
    "topics[0].name": "[[topics]]\nquery = '*'\nslug = 'all'\nname = {}",
    "subscribers[0].email": "[[subscribers]]\nemail = {}",
    "subscribers[0].name": "[[subscribers]]\nemail = 'ann@reader.example'\nname = {}",
    "dkim[0].selector": "[[dkim]]\nkey_file = 'k.pem'\nselector = {}",
    "dkim[0].domain": "[[dkim]]\nkey_file = 'k.pem'\nselector = 's1'\ndomain = {}",
}
WHOLE = {
    "site.url": "https://news.example/{}", "web.url": "https://news.example/{}", "mail.from": "News{} <n@news.example>",
    "mail.reply_to": "n{}@news.example", "mail.list_id": "news.{}example", "topics[0].slug": "a{}",
    "subscribers[0].email": "ann{}@reader.example", "dkim[0].domain": "news{}.example", "dkim[0].selector": "s{}",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("poison", CONTROLS, ids=ascii)
def test_s9_config_refuses_a_control_character_wherever_it_could_reach_a_header(
    tmp_path: Path, place: str, poison: str
) -> None:
    (tmp_path / "config").mkdir()
    value = json.dumps(WHOLE.get(place, "Name{}x").format(poison)).replace("\x7f", "\\u007f")
    (tmp_path / "config" / "dispatcher.toml").write_text(PLACES[place].format(value))
    with pytest.raises(ConfigError) as refused:
        load(env={}, cwd=tmp_path, checks=Checks(cadence.parse, parser.parse))
    (problem,) = refused.value.problems
    assert problem.key == place
    assert problem.message.isprintable(), "what is told of it cannot play with a terminal either"
