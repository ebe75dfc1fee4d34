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


async def kill_and_restart(site: Site, server: SmtpServer, readers: int, kills: int) -> list[float]:
    """Kill the daemon so often, evenly over the mailing, and start it again; returns what each start took."""
    site.smtp_port, starts = server.port, []
    await planned(site, readers)
    for kill in range(1, kills + 2):
        daemon, before = site.start(), len(server.messages)
        starts.append(await until(lambda: len(server.messages) > before, 60, daemon))  # noqa: B023
        if kill <= kills:
            goal = readers * kill // (kills + 1)
            await until(lambda: len(server.messages) >= goal, 120, daemon)  # noqa: B023
            daemon.kill()
    return starts


def by_reader(server: SmtpServer) -> dict[str, list[bytes]]:
    """What each reader got."""
    copies = defaultdict(list)
    for message in server.messages:
        copies[message.recipients[0]].append(message.data)
    return copies


async def test_kill_9_in_the_middle_of_2000_sends_loses_nothing_and_repeats_only_what_was_in_flight(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = 2000 if LONG or site.database_url.startswith("sqlite") else 300
    async with SmtpServer() as server:
        starts = await kill_and_restart(site, server, readers, KILLS)
        everybody = {address(n) for n in range(readers)}
        await until(lambda: by_reader(server).keys() == everybody, 120, site.running[-1])
        await asyncio.sleep(1.5)  # anything that should not come would come now
        site.end()
    repeats = len(server.messages) - readers
    with capsys.disabled():
        took = ", ".join(f"{seconds:.1f}" for seconds in starts)
        print(f"\n{readers} sends, {KILLS} kill(s): {repeats} repeats; first mail after each start: {took} s")
    assert all(len(set(mine)) == 1 for mine in by_reader(server).values()), "a repeat differs from the first"
    assert repeats <= site.connections * KILLS
    assert await statuses(site) == {"sent": readers}


@pytest.mark.skipif(not LONG, reason="takes a minute: ROUNDS=long")
async def test_kill_9_repeats_nothing_at_all_where_the_operator_wants_it_held(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    readers, site.extra = 600, '[send]\non_uncertain = "hold"\n'

    async with SmtpServer() as server:
        await kill_and_restart(site, server, readers, KILLS)
        while not set(found := await statuses(site)) <= {"sent", "held"}:
            assert site.running[-1].is_running()
            await asyncio.sleep(0.5)
        site.end()
    with capsys.disabled():
        print(f"\n{readers} sends, {KILLS} kills, hold: {found}")
    assert all(len(mine) == 1 for mine in by_reader(server).values())
    assert found["held"] <= site.connections * KILLS
    assert found["sent"] + found["held"] == readers
