"""Rates that two processes share, counted by the server's own log."""

from __future__ import annotations

import asyncio
import signal
from bisect import bisect_left

import pytest
from conftest import LONG
from processes import Site, a_site, planned, until
from wire_sink import WireSink

from dispatcher.model.rates import Rate

site = pytest.fixture(a_site, name="site")

RATE = Rate(1200, 60.0)
WINDOW = 60.0 if LONG else 5.0
WATCHED = 150.0 if LONG else 7.0
"""Seconds. The short sample cannot see a whole minute: there, those that came as late as a token lets them are allowed
for."""


def within(instants: list[float], span: float) -> list[int]:
    """How many came in each stretch of so many seconds that begins with one of them and has not ended yet."""
    whole = [first for first, at in enumerate(instants) if at + span <= instants[-1]]
    return [bisect_left(instants, instants[first] + span) - first for first in whole]


@pytest.mark.parametrize("furnished_url", ["sqlite", "postgresql"] if LONG else ["sqlite"], indirect=True)
async def test_two_processes_hold_a_rate_together_within_two_hundredths(site: Site) -> None:
    site.extra = f'[send]\nrate = "{RATE.count}/min"'
    with WireSink(delay=0.01) as sink:
        site.smtp_port = sink.port
        await planned(site, int(RATE.count / RATE.span * WATCHED * 1.5))
        daemons = [site.start("run"), site.start("run")]
        await until(lambda: bool(sink.taken), 30)
        await asyncio.sleep(WATCHED)
        taken = sorted(one.at for one in sink.taken)
        for daemon in daemons:
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 0, daemon.words()
    assert len(sink.recipients) == len(sink.taken)
    assert all(any(said["event"] == "sent" for said in daemon.said()) for daemon in daemons), "both take part"
    counts, allowed = within(taken, WINDOW), RATE.count * WINDOW / RATE.span
    late = 0 if LONG else RATE.tolerance / RATE.interval + 1
    assert max(counts) <= 1.02 * allowed + late
    settled = counts[int(RATE.count / RATE.span) :]  # from the first second on
    assert max(settled) >= (0.98 if LONG else 0.9) * allowed
