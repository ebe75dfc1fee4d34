"""A queue full of digests does not keep an alert waiting, whoever sends: told by order, never by time."""

from __future__ import annotations

import pytest
from conftest import LONG
from processes import Site, a_site, now, planned, until
from wire_sink import WireSink

from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus, Priority
from dispatcher.store.engine import add, many
from dispatcher.store.keys import address_hash

ALERTED = "ann@alerted.example"
A_FEW_HUNDRED = 400
"""Digests that may be begun meanwhile: this relay takes 160 a second, and the urgent is looked for every second."""

site = pytest.fixture(a_site, name="site")


async def queue_alert(site: Site) -> None:
    """One breaking alert in the outbox, due now; it says what the digests say."""
    async with site.open() as ctx, ctx.store.write() as tx:
        (digest,) = await many(tx, Delivery, limit=1)
        values = digest.model_dump(include={"newsletter_id", "subscriber_id", "digest_id", "channel", "personal"})
        hashed = address_hash(ctx.address_key, ALERTED)
        alert = Delivery(
            key="alert", kind=DeliveryKind.BREAKING, priority=Priority.BREAKING, status=DeliveryStatus.QUEUED,
            recipient=ALERTED, address_hash=hashed, message_id="<alert@gazette.example>",
            slot_at=now(), due_at=now(), expires_at=digest.expires_at, created_at=now(), **values,
        )  # fmt: skip
        await add(tx, alert)


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_breaking_alert_overtakes_thousands_of_digests(
    site: Site, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = 20_000 if LONG else 2000
    with WireSink(delay=0.05, chunking=False) as sink:
        site.smtp_port = sink.port
        await planned(site, readers)
        daemon = site.start("run", "--workers", str(workers))
        await until(lambda: len(sink.begun) > 200, 60, daemon)
        await queue_alert(site)
        before = len(sink.begun)
        await until(lambda: ALERTED in sink.begun, 60, daemon)
        meanwhile = sink.begun.index(ALERTED) - before
        site.end()
    with capsys.disabled():
        print(f"\n{readers} digests in the queue, {workers} workers: {meanwhile} of them were begun before the alert")
    assert meanwhile < A_FEW_HUNDRED < readers - before
