"""Kill -9 while a webhook is being told: it is told again, and can see that it is the same event."""

from __future__ import annotations

import asyncio

import pytest
from hook_server import HookServer, Said
from processes import Site, a_site, now

from dispatcher.pipeline.hooks import announce
from dispatcher.store import outbox

site = pytest.fixture(a_site, name="site")


async def told(site: Site) -> dict[str, dict[str, int]]:
    """What stands in the outbox for each webhook."""
    async with site.open() as ctx, ctx.store.read() as tx:
        return await outbox.told(tx)


async def test_kill_9_between_the_post_and_the_commit_repeats_the_event_with_its_id(site: Site) -> None:
    never = asyncio.Event()
    async with HookServer() as hooks:
        hooks.script["/shop"] = [Said(after=never)]
        site.extra = f"""
[web]
listen = ""
[[webhooks]]
name = "shop"
url = "{hooks.url("/shop")}"
secret = "a secret of at least 24 letters"
allow_private = true
"""
        async with site.open() as ctx, ctx.store.write() as tx:
            await announce(ctx, tx, "subscribed", now(), key="1")
        daemon = site.start()
        await hooks.wait_for(1)
        daemon.kill()
        assert await told(site) == {"shop": {"sending": 1}}
        site.start()
        await hooks.wait_for(2)
        await asyncio.sleep(1.5)  # anything that should not come would come now
        site.end()
        never.set()
        assert await told(site) == {"shop": {"sent": 1}}
        assert len(hooks.told) == 2
        assert len({(one.id, one.body) for one in hooks.told}) == 1
