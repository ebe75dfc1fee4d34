"""Readers whose address only SMTPUTF8 can carry: written to where the relay takes it, and never mangled (F8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from mailing import Mailing, after, relay
from raw_smtp import CHUNKING, OFFERS, RawServer
from smtp_server import SmtpServer
from test_signed_delivery import signing, verified

from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.send import send
from dispatcher.store.engine import many

ANN = "аня@reader.example"


@pytest.fixture
def mailing(tmp_path: Path) -> Mailing:
    """One reader with such an address, one with another."""
    found = Mailing(tmp_path, f"sqlite:///{tmp_path}/subscribers.db", sections=signing(tmp_path, "r1", "e1"))
    found.readers = ("аня", "ben")
    return found


@pytest.mark.parametrize("offers", [OFFERS, CHUNKING])
async def test_f8_her_digest_names_her_as_she_is_called_and_its_signatures_hold(
    mailing: Mailing, offers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dkim.time", type("Now", (), {"time": staticmethod(lambda: after(days=2).timestamp())}))
    async with RawServer(offers=offers) as server, mailing.open(relay(server)) as ctx:  # type: ignore[arg-type]
        assert (await send(ctx, after())).sent == 2
        assert not server.faults
        hers, his = sorted(server.messages, key=lambda message: message.data.isascii())
        assert f"<{ANN}>".encode() in hers.data.partition(b"\r\n\r\n")[0]
        assert hers.data.partition(b"\r\n\r\n")[2].isascii()
        assert his.data.isascii()
        assert verified(hers.data) == verified(his.data) == ["e1", "r1"]


async def test_f8_where_the_relay_cannot_her_mail_fails_and_she_is_not_suppressed(mailing: Mailing) -> None:
    async with SmtpServer(hide=("SMTPUTF8",)) as server, mailing.open(relay(server)) as ctx:
        report = await send(ctx, after())
        assert (report.sent, report.failed) == (1, 1)
        async with ctx.store.read() as tx:
            kept = {row.recipient: row for row in await many(tx, Delivery)}
        assert kept[ANN].reason.startswith("553 5.6.7")
        assert (await send(ctx, after(hours=1))).suppressed == 0
