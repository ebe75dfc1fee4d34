"""Who may use the API: tokens, scopes, and what those are told who may not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_client import Program, program, reader, token_of

from dispatcher import clock
from dispatcher.pipeline import access
from dispatcher.pipeline.access import SCOPES, AccessError
from dispatcher.store import access as rows
from dispatcher.store import audits
from dispatcher.web.api import RESOURCES
from dispatcher.web.api.routes import scope_of

ROUTES = [
    (method, re.sub(r"{slug}", "sea", re.sub(r"{\w+_id}", "1", route.path)), scope_of(route))
    for resource in RESOURCES
    for route in resource.routes.routes
    for method in sorted(route.methods)
]


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url) as found:
        yield found


async def test_every_route_wants_a_token_and_its_own_scope(shop: Program) -> None:
    """Before it reads anything: what is sent is not even JSON."""
    nobody = shop.with_token("")
    without = {
        scope: await shop.with_scopes(scope.replace(":", "-"), *(other for other in SCOPES if other != scope))
        for scope in {scope for _, _, scope in ROUTES}
    }
    assert {scope for _, _, scope in ROUTES} == set(SCOPES)
    for method, path, scope in ROUTES:
        stranger = await nobody.ask(method, path, raw=b"{", content_type="application/json")
        assert stranger.status == 401, (method, path)
        assert stranger.is_problem
        assert stranger.headers["www-authenticate"] == 'Bearer realm="dispatcher"'
        refused = await without[scope].ask(method, path, raw=b"{", content_type="application/json")
        assert refused.status == 403, (method, path)
        assert refused.is_problem
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
        assert f'scope="{scope}"' in refused.headers["www-authenticate"]


async def test_one_scope_opens_its_routes_and_no_others(shop: Program) -> None:
    await reader(shop.ctx)
    for scope in SCOPES:
        one = await shop.with_scopes(f"only-{scope.replace(':', '-')}", scope)
        for method, path, wanted in ROUTES:
            if method == "GET":
                status = (await one.get(path)).status
                assert status in ((200, 404) if wanted == scope else (403,)), (scope, path)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer dsp_" + "x" * 500, "Bearer dsp_é", "Bearer dsp_wrong",
     "dsp_wrong", "Token dsp_wrong"],
)  # fmt: skip
async def test_a_token_that_is_none_is_refused(shop: Program, header: str) -> None:
    told = await shop.get("/status", authorization=header)
    assert told.status == 401
    assert told.is_problem


async def test_a_token_in_the_address_or_a_cookie_opens_nothing(shop: Program) -> None:
    stranger = shop.with_token("")
    assert (await stranger.get(f"/status?access_token={shop.token}")).status == 401
    assert (await stranger.get(f"/status?token={shop.token}")).status == 401
    assert (await stranger.get("/status", cookie=f"token={shop.token}")).status == 401


async def test_a_revoked_and_a_lapsed_token_open_nothing(shop: Program) -> None:
    lapsing = await shop.with_scopes("lapsing", "*", expires_at=clock.now() - timedelta(seconds=1))
    told = await lapsing.get("/status")
    assert told.status == 401
    assert 'error="invalid_token"' in told.headers["www-authenticate"]
    assert (await shop.get("/status")).status == 200
    async with shop.ctx.store.write() as tx:
        await access.revoke(tx, "shop", clock.now(), actor="cli")
    assert (await shop.get("/status")).status == 401


async def test_the_last_use_is_noted_at_most_once_a_minute(shop: Program) -> None:
    async def used() -> object:
        async with shop.ctx.store.read() as tx:
            token = await rows.token_by_name(tx, "shop")
        return token and token.used_at

    assert await used() is None
    await shop.get("/status")
    first = await used()
    assert first is not None
    await shop.get("/status")
    assert await used() == first


async def test_nothing_of_a_token_is_kept_but_its_hash(shop: Program) -> None:
    async with shop.ctx.store.read() as tx:
        token = await rows.token_by_name(tx, "shop")
        log = await audits.latest(tx, 10)
    assert token is not None
    assert shop.token.startswith("dsp_")
    assert len(shop.token) == len("dsp_") + 43
    for text in (repr(token), repr(log)):
        assert shop.token not in text
        assert shop.token.removeprefix("dsp_") not in text


async def test_tokens_are_made_with_care(shop: Program) -> None:
    for name, scopes, hint in (
        ("shop", ["*"], "choose another name"),
        ("Shop!", ["*"], "slug"),
        ("till", [], "needs a scope"),
        ("till", ["articles:wirte"], "articles:write"),
    ):
        with pytest.raises(AccessError, match=hint):
            await token_of(shop.ctx, name, *scopes)


async def test_what_a_program_changes_stands_in_the_audit_log(shop: Program) -> None:
    await shop.post("/topics", {"slug": "air", "query": "plane"})
    async with shop.ctx.store.read() as tx:
        line = (await audits.latest(tx, 1))[0]
    assert (line.actor, line.action, line.subject, line.ip) == ("token:shop", "add topic", "air", "127.0.0.1")


async def test_no_other_site_may_ask_in_a_browser(shop: Program) -> None:
    told = await shop.get("/status", origin="https://elsewhere.example")
    assert not [name for name in told.headers if name.startswith("access-control")]
    asked = await shop.ask("OPTIONS", "/status", origin="https://elsewhere.example")
    assert asked.status == 405
    assert asked.is_problem
