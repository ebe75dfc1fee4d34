"""Leaving over HTTP while the digest is being sent, by this process or another: what is not on the wire stays here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from processes import Site, a_site, address, planned, statuses
from smtp_server import Slow, SmtpServer, always
from web_app import Client, serving

from dispatcher import clock
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.smtp import SmtpTransport
from dispatcher.model.consent import Consent
from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.links import leaving
from dispatcher.pipeline.send import send
from dispatcher.store import subscribers
from dispatcher.store.engine import many

site = pytest.fixture(a_site, name="site")

HTML = {"Accept": "text/html"}

READERS, LEAVERS = 120, 60
IN_FLIGHT = 0.4  # seconds in which a message that was past its last look has reached the server


def recipients(server: SmtpServer) -> set[str]:
    """Everybody whose mail has been begun."""
    return {line.partition("<")[2].partition(">")[0] for _, line in list(server.commands) if line.startswith("RCPT")}


async def leave(ctx: Context, client: Client, server: SmtpServer, reader: str) -> set[str]:
    """Leave with one click; returns whose mail had been begun when the answer came, or was just about to be."""
    async with ctx.store.read() as tx:
        known = await subscribers.by_email(tx, reader)
    assert known is not None
    token = ctx.keyring.sign("u", *leaving(known.id or 0, ctx.newsletter.id or 0).claims)  # type: ignore[arg-type]
    answer = await client.post(f"/u/{token}", {"List-Unsubscribe": "One-Click"}, headers=random.choice([HTML, {}]))
    assert answer.status == 200
    await asyncio.sleep(IN_FLIGHT)
    return recipients(server)


async def race(site: Site, sending: Callable[[Context], Awaitable[object]]) -> None:
    """Half of the readers leave, a few at a time, while all are being sent to."""
    leavers = random.sample([address(n) for n in range(READERS)], LEAVERS)
    async with SmtpServer(script=always("CONTENT", Slow(0.15))) as server:
        site.smtp_port, site.connections, site.extra = server.port, 4, '[web]\nlisten = ""\n'
        await planned(site, READERS)
        wire = SmtpTransport(Relay(server.host, server.port, helo="client.test", timeout=5, max_connections=4))
        async with open_context(load_settings(site.config, {}), transport=wire) as ctx, serving(ctx) as client:
            task = asyncio.ensure_future(sending(ctx))
            await server.wait_until(lambda: len(server.messages) >= 4, within=30)
            waiting, begun = asyncio.Queue[str](), dict[str, set[str]]()
            for leaver in leavers:
                waiting.put_nowait(leaver)

            async def click() -> None:
                while not waiting.empty():
                    leaver = waiting.get_nowait()
                    begun[leaver] = await leave(ctx, client, server, leaver)

            await asyncio.gather(*(click() for _ in range(20)))
            await task
            async with ctx.store.read() as tx:
                rows = {row.recipient: row.status.value for row in await many(tx, Delivery)}
                proofs = await many(tx, Consent)
    got = {message.recipients[0] for message in server.messages}
    late = {leaver for leaver in leavers if leaver in got and leaver not in begun[leaver]}
    assert late == set(), "sent after the answer"
    assert got >= {address(n) for n in range(READERS)} - set(leavers), "somebody who stayed got nothing"
    assert all(rows[reader] == ("sent" if reader in got else "suppressed") for reader in rows)
    spared = [leaver for leaver in leavers if leaver not in got]
    assert len(spared) > LEAVERS // 4, "everything had been sent before anybody could leave"
    assert sorted(proof.address for proof in proofs) == sorted(leavers)


async def test_nobody_who_has_left_is_sent_what_was_not_on_the_wire(site: Site) -> None:
    await race(site, lambda ctx: send(ctx, clock.now()))


async def test_nor_by_another_process(site: Site) -> None:
    async def other_process(ctx: Context) -> None:
        daemon = site.start()

        async def is_done() -> bool:
            return set(await statuses(site)) <= {"sent", "suppressed"}

        while not await is_done():
            assert daemon.is_running(), daemon.words()
            await asyncio.sleep(0.3)

    await race(site, other_process)
