"""The way in: passwords, links that work once, sessions, and what keeps strangers' forms out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from admin_desk import PASSWORD, Desk, cookie_of, csrf_of, enter, hire, paper, signed_in

from dispatcher import clock
from dispatcher.model.values import Role
from dispatcher.pipeline import operators as people
from dispatcher.pipeline import passwords
from dispatcher.pipeline.context import Context
from dispatcher.store import audits, operators
from dispatcher.tokens import Purpose


def link_path(ctx: Context, operator: object, now: object = None) -> str:
    return "/s/" + people.link(ctx, operator, now or clock.now()).rpartition("/s/")[2]  # type: ignore[arg-type]


async def test_without_an_operator_the_page_names_the_command_and_nothing_more(tmp_path: Path) -> None:
    async with paper(tmp_path) as (_, client):
        led = await client.get("/admin")
        assert (led.status, led.headers["location"]) == (303, "/admin/sign-in?next=/admin")
        page = await client.get("/admin/sign-in")
        assert page.status == 200
        assert "dispatcher operators add NAME --role owner" in page.text
        assert "<form" not in page.text


async def test_a_right_password_opens_and_the_cookie_is_closed_to_scripts_and_strangers(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)
        answer = await client.post("/admin/sign-in", {"name": " Ann ", "password": PASSWORD, "next": "/admin/topics"})
        assert (answer.status, answer.headers["location"]) == (303, "/admin/topics")
        given = answer.headers["set-cookie"]
        assert "HttpOnly" in given
        assert "SameSite=strict" in given
        assert "Path=/admin" in given
        assert "Secure" not in given
        secret = cookie_of(answer).partition("=")[2]
        async with ctx.store.read() as tx:
            visits = await operators.visits(tx, 1, clock.now())
            said = [(line.actor, line.action) for line in await audits.latest(tx, 1)]
        assert [visit.token_hash == secret for visit in visits] == [False], "the cookie itself is not kept"
        assert said == [("operator:ann", "sign in")]


async def test_behind_https_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    web = {"url": "https://letters.gazette.example/news"}
    async with paper(tmp_path, web=web) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)
        answer = await client.post("/admin/sign-in", {"name": "ann", "password": PASSWORD, "next": "/admin"})
        given = answer.headers["set-cookie"]
        assert given.startswith("__Host-dispatcher=")
        assert "Secure" in given
        assert "Path=/;" in given
        assert answer.headers["location"] == "/news/admin"


WRONG = [("ann", "wrong"), ("nobody", PASSWORD), ("link-only", ""), ("gone", PASSWORD)]


@pytest.mark.parametrize(("name", "password"), WRONG)
async def test_every_wrong_sign_in_is_answered_alike(tmp_path: Path, name: str, password: str) -> None:
    async with paper(tmp_path) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)
        gone = await hire(ctx, "gone", Role.EDITOR)
        async with ctx.store.write() as tx:
            await people.switch(tx, gone, on=False)
            await people.insert(tx, await people.make("link-only", Role.EDITOR, "", clock.now()))
        answer = await client.post("/admin/sign-in", {"name": name, "password": password})
        assert answer.status == 401
        assert "This name and password do not go together." in answer.text
        assert "set-cookie" not in answer.headers


async def test_whoever_tries_too_often_waits_however_they_spread_it(tmp_path: Path) -> None:
    trusting = {"trusted_proxies": ["127.0.0.1"]}
    async with paper(tmp_path, web=trusting) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)

        async def attempt(name: str, ip: str) -> int:
            given = {"name": name, "password": "wrong"}
            return (await client.post("/admin/sign-in", given, headers={"X-Forwarded-For": ip})).status

        by_name = [await attempt("ann", f"203.0.{n}.1") for n in range(11)]
        by_network = [await attempt(f"someone{n}", f"198.51.100.{n}") for n in range(11)]
        assert by_name == by_network == [401] * 10 + [429]


async def test_a_link_signs_in_once_and_looking_at_it_uses_nothing(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        ann = await hire(ctx, "ann", Role.OWNER)
        path = link_path(ctx, ann)
        for _ in range(3):
            page = await client.get(path)
            assert page.status == 200
            assert "Sign in as ann" in page.text
            assert page.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in page.headers
        answer = await client.post(path, headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"})
        assert answer.status == 303
        assert (await Desk(client, cookie_of(answer)).get("/admin/sessions")).status == 200
        again = await client.post(path)
        assert (again.status, "set-cookie" in again.headers) == (410, False)
        assert "used already" in again.text
        assert (await client.get(path)).status == 410


async def test_of_two_who_use_a_link_at_once_one_comes_in(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        path = link_path(ctx, await hire(ctx, "ann", Role.OWNER))
        answers = await asyncio.gather(*(client.post(path) for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [303, 410, 410, 410, 410]


async def test_forged_lapsed_foreign_and_disabled_links_open_nothing(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        ann = await hire(ctx, "ann", Role.OWNER)
        bob = await hire(ctx, "bob", Role.VIEWER)
        lapsed = link_path(ctx, ann, clock.now() - timedelta(minutes=11))
        other = ctx.keyring.sign(Purpose.PREFERENCES, ann.id or 0, "x", expires_at=clock.now() + timedelta(minutes=5))
        for_ever = ctx.keyring.sign(Purpose.SIGN_IN, ann.id or 0, "x")
        of_bob = link_path(ctx, bob)
        async with ctx.store.write() as tx:
            await people.switch(tx, bob, on=False)
        for path in (lapsed, f"/s/{other}", f"/s/{for_ever}", of_bob, "/s/nonsense", link_path(ctx, ann)[:-1]):
            for answer in (await client.get(path), await client.post(path)):
                assert (answer.status, "set-cookie" in answer.headers) == (410, False), path


async def test_signing_in_never_takes_a_session_that_was_planted(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)
        planted = {"Cookie": "dispatcher=chosen-by-somebody-else"}
        answer = await client.post("/admin/sign-in", {"name": "ann", "password": PASSWORD}, headers=planted)
        assert cookie_of(answer) != "dispatcher=chosen-by-somebody-else"
        assert (await client.get("/admin", headers=planted)).status == 303, "the planted one opens nothing"
        before = await enter(client, "ann")
        kept = {"Cookie": before.cookie}
        again = await client.post("/admin/sign-in", {"name": "ann", "password": PASSWORD}, headers=kept)
        assert again.status == 303
        assert (await before.get("/admin")).status == 303, "signing in again ends the session that was open"


async def test_signing_out_ends_the_session_for_good(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        answer = await desk.post("/admin/sign-out")
        assert answer.status == 303
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await desk.get("/admin")).headers["location"] == "/admin/sign-in?next=/admin"


async def test_sessions_are_listed_and_ended_one_by_one_or_all_others(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        here = await signed_in(ctx, client)
        there, third = await enter(client, "owner"), await enter(client, "owner")
        stranger = await signed_in(ctx, client, Role.VIEWER)
        async with ctx.store.read() as tx:
            numbers = [visit.id for visit in await operators.visits(tx, 1, clock.now())]
        assert len(numbers) == 3
        oldest = min(number or 0 for number in numbers)
        assert (await stranger.post(f"/admin/sessions/{oldest}/end")).status == 404, "not theirs to end"
        assert (await there.post(f"/admin/sessions/{oldest}/end")).status == 303
        assert (await here.get("/admin/sessions")).status == 303
        assert (await there.post("/admin/sessions/others/end")).status == 303
        assert (await third.get("/admin/sessions")).status == 303
        assert (await there.get("/admin/sessions")).status == 200


async def test_sessions_lapse_when_idle_and_after_a_week_whatever_happens(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        async with ctx.store.read() as tx:
            visit = (await operators.visits(tx, 1, clock.now()))[0]
        assert visit.expires_at - visit.created_at == timedelta(hours=12)
        async with ctx.store.write() as tx:
            begun, seen = clock.now() - timedelta(days=6, hours=23), clock.now() - timedelta(hours=1)
            await tx.execute(
                operators.VISIT.update().values(created_at=begun, seen_at=seen, expires_at=seen + timedelta(hours=12))
            )
        assert (await desk.get("/admin/sessions")).status == 200
        async with ctx.store.read() as tx:
            visit = (await operators.visits(tx, 1, clock.now()))[0]
        assert visit.expires_at == begun + timedelta(days=7), "going on lengthens it, but never beyond a week"
        async with ctx.store.write() as tx:
            await operators.see(tx, visit.id or 0, clock.now(), clock.now())
        assert (await desk.get("/admin/sessions")).status == 303


async def test_a_form_without_its_token_or_with_anothers_changes_nothing(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        other = await signed_in(ctx, client, Role.EDITOR)
        earlier = await enter(client, "owner")
        for csrf in ("", "0" * 64, other.csrf, earlier.csrf, desk.csrf[:-1], "ä"):
            answer = await Desk(client, desk.cookie, csrf).post("/admin/sources/1/pause")
            assert answer.status == 403, csrf
        without = await client.post("/admin/sources/1/pause", {}, headers={"Cookie": desk.cookie})
        assert without.status == 403
        async with ctx.store.read() as tx:
            assert not [line for line in await audits.latest(tx, 50) if line.action == "pause source"]
        assert (await desk.post("/admin/sources/1/pause")).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "file://"},
    ],
)
async def test_a_form_from_another_site_changes_nothing_even_with_its_token(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        assert (await desk.post("/admin/sources/1/pause", **headers)).status == 403
        given = {"name": "owner", "password": PASSWORD}
        assert (await client.post("/admin/sign-in", given, headers=headers)).status == 403
        path = link_path(ctx, await hire(ctx, "ann", Role.VIEWER))
        assert (await client.post(path, headers=headers)).status == 410


ELSEWHERE = ["https://evil.example/admin", "//evil.example", "/admin/../x", "/admin\\evil", "/p/x", "javascript:1"]


@pytest.mark.parametrize("onward", ELSEWHERE)
async def test_after_signing_in_one_never_lands_on_another_site(tmp_path: Path, onward: str) -> None:
    async with paper(tmp_path) as (ctx, client):
        await hire(ctx, "ann", Role.OWNER)
        answer = await client.post("/admin/sign-in", {"name": "ann", "password": PASSWORD, "next": onward})
        assert answer.headers["location"] == "/admin"
        page = await client.get("/admin/sign-in", params={"next": onward})
        assert 'name="next" value="/admin"' in page.text


async def test_a_new_password_and_a_shut_door_end_every_session_at_once(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        first = await signed_in(ctx, client)
        async with ctx.store.write() as tx:
            found = await people.find(tx, "owner")
            await people.change_password(tx, found, found.password)
        assert (await first.get("/admin/sessions")).status == 303
        editor = await signed_in(ctx, client, Role.EDITOR)
        async with ctx.store.write() as tx:
            await people.switch(tx, await people.find(tx, "editor"), on=False)
        assert (await editor.get("/admin/sessions")).status == 303


async def test_a_password_is_checked_slowly_salted_and_bounded() -> None:
    turn = asyncio.Semaphore(2)
    first, second = await passwords.hashed(PASSWORD), await passwords.hashed(PASSWORD)
    assert first != second
    assert first.startswith("scrypt$n=32768,r=8,p=3$")
    assert PASSWORD not in first
    assert await passwords.matches(PASSWORD, first, turn)
    assert not await passwords.matches(PASSWORD + " ", first, turn)
    assert not await passwords.matches("", "", turn)
    for wrong in ("short", "x" * 201):
        with pytest.raises(passwords.PasswordError):
            await passwords.hashed(wrong)


async def test_pages_of_the_desk_are_kept_by_nobody_and_tell_no_stranger(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        page = await desk.get("/admin/sessions")
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert csrf_of(page) == desk.csrf
