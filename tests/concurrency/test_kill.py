"""Kill -9 in the middle of a mailing: everybody gets the digest, and what comes twice is the same message."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from conftest import LONG
from processes import Site, a_site, address, planned, statuses, until
from smtp_server import SmtpServer

KILLS = 8 if LONG else 1

site = pytest.fixture(a_site, name="site")


async def test_kill_9_in_the_middle_of_2000_sends_loses_nothing_and_repeats_only_what_was_in_flight(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = 2000 if LONG or site.database_url.startswith("sqlite") else 600
    restarts = []
    async with SmtpServer() as server:
        site.smtp_port = server.port
        await planned(site, readers)
        for kill in range(1, KILLS + 2):
            daemon, before = site.start(), len(server.messages)
            restarts.append(await until(lambda: len(server.messages) > before, 60, daemon))  # noqa: B023
            if kill <= KILLS:
                goal = readers * kill // (KILLS + 1)
                await until(lambda: len(server.messages) >= goal, 120, daemon)  # noqa: B023
                daemon.kill()
        everybody = {address(n) for n in range(readers)}
        await until(lambda: {m.recipients[0] for m in server.messages} == everybody, 120, daemon)
        await asyncio.sleep(1.5)  # anything that should not come would come now
        daemon.kill()

    copies = defaultdict(list)
    for message in server.messages:
        copies[message.recipients[0]].append(message.data)
    repeats = sum(len(mine) - 1 for mine in copies.values())
    with capsys.disabled():
        starts = ", ".join(f"{seconds:.1f}" for seconds in restarts)
        print(f"\n{readers} sends, {KILLS} kill(s): {repeats} repeats; first mail after each start: {starts} s")
    assert all(len(set(mine)) == 1 for mine in copies.values()), "a repeat differs from the first"
    assert repeats <= site.connections * KILLS
    assert await statuses(site) == {"sent": readers}
