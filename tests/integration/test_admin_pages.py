"""The desk: who may see and do what, what every action does and logs, and that hostile text stays text."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from admin_desk import HOSTILE, Desk, paper, signed_in
from sqlmodel import SQLModel

from dispatcher import clock
from dispatcher.model.content import Source
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus, Origin, Role, SubscriberStatus
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import plan
from dispatcher.store import audits, outbox, sources, subscribers, topics
from dispatcher.store.engine import add, one, table
from dispatcher.web.admin.routes import ENTRIES

ALLOWED = {Role.VIEWER: {Role.VIEWER}, Role.EDITOR: {Role.VIEWER, Role.EDITOR}, Role.OWNER: set(Role)}
TOPIC = {"slug": "cranes", "query": "crane", "name": "", "description": "", "language": "", "public": "yes"}
FEED = {"name": "Tide", "url": "https://tide.example/feed", "every": "30m", "tags": "sea, port"}


async def the_log(ctx: Context) -> list[tuple[str, str, str]]:
    async with ctx.store.read() as tx:
        return [(line.actor, line.action, line.subject) for line in await audits.latest(tx, 100)]


async def deliver(ctx: Context, status: DeliveryStatus, **changes: Any) -> int:
    now = clock.now()
    done = status in (DeliveryStatus.FAILED, DeliveryStatus.SENT, DeliveryStatus.EXPIRED)
    values = {
        "key": f"k{now.timestamp()}{changes}", "kind": DeliveryKind.DIGEST, "priority": 30, "status": status,
        "newsletter_id": ctx.newsletter.id, "subscriber_id": 1, "recipient": "ada@reader.example", "slot_at": now,
        "due_at": now, "expires_at": now + timedelta(hours=1), "created_at": now, "finished_at": now if done else None,
    }  # fmt: skip
    async with ctx.store.write() as tx:
        return await add(tx, Delivery(**values | changes))


async def status_of(ctx: Context, delivery_id: int) -> DeliveryStatus:
    async with ctx.store.read() as tx:
        found = await outbox.get(tx, delivery_id)
    assert found is not None
    return found.status


@pytest.mark.parametrize("role", list(Role))
async def test_every_page_asks_for_its_role_and_nobody_else_gets_past(tmp_path: Path, role: Role) -> None:
    """Ids that do not exist: whoever is let in meets a 404 or a form's complaint, and whoever is not a 403."""
    paths = {"{number}": "424242", "{key}": "topics"}
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, role)
        for entry in sorted(ENTRIES, key=lambda entry: entry.path == "/sign-out"):
            path = "/admin" + entry.path.replace("{number}", paths["{number}"]).replace("{key}", paths["{key}"])
            stranger = await client.ask(entry.method, path)
            assert (stranger.status, stranger.headers["location"][:14]) == (303, "/admin/sign-in"), entry
            answer = await (desk.get(path) if entry.method == "GET" else desk.post(path))
            assert (answer.status != 403) == (entry.role in ALLOWED[role]), (entry, answer.status)
            assert answer.status < 500, entry


async def test_the_roles_of_the_pages_are_those_we_decided_on() -> None:
    """Written out, so that a page which is moved to another role is noticed."""
    needs = {(entry.method, entry.path): entry.role for entry in ENTRIES}
    assert {path for (method, path), role in needs.items() if role is Role.OWNER} == {
        "/operators", "/operators/{number}/role", "/operators/{number}/disable", "/operators/{number}/enable",
        "/operators/{number}/link", "/readers/{number}/erase",
    }  # fmt: skip
    own = {"/sign-out", "/sessions/others/end", "/sessions/{number}/end", "/query"}
    assert {path for (method, path), role in needs.items() if method == "POST" and role is Role.VIEWER} == own
    assert not [path for (method, path), role in needs.items() if method == "GET" and role is Role.EDITOR]


async def test_looking_at_every_page_changes_nothing(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        before = await the_log(ctx)
        for entry in ENTRIES:
            path = "/admin" + entry.path.replace("{number}", "1").replace("{key}", "topics")
            answer = await desk.get(path)
            assert answer.status in (200, 303, 404, 405), (path, answer.status)
        assert await the_log(ctx) == before


async def test_the_dashboard_shows_what_flows_and_refreshes_itself(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await deliver(ctx, DeliveryStatus.FAILED, code=550, reason="550 5.1.1 no such user")
        desk = await signed_in(ctx, client, Role.VIEWER)
        page = await counted(desk)
        assert page.headers["refresh"] == "30"
        titles = ("Articles in", "Matches", "Digests due", "The outbox", "Why mails failed", "550 5.1.1 no such user")
        assert [words for words in titles if words not in page.text] == []
        assert "1 in all; most at" in page.text, "the article, as a screen reader hears it"
        assert page.text.count('role="img" aria-labelledby=') == 5
        assert "<script" not in page.text
        assert not re.search(r"\sstyle=|\son[a-z]+=", page.text)


async def counted(desk: Desk) -> Any:
    for _ in range(100):
        page = await desk.get("/admin")
        if "Counting…" not in page.text:
            return page
        await asyncio.sleep(0.1)
    raise AssertionError("never counted")


async def test_a_source_is_added_edited_paused_resumed_and_removed_and_all_is_logged(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.EDITOR)
        added = await desk.follow(await desk.post("/admin/sources", FEED))
        assert "Done: add source, Tide." in added.text
        async with ctx.store.read() as tx:
            tide = await sources.by_name(tx, "Tide")
        assert tide is not None
        assert (tide.poll_every, tide.tags, tide.origin) == (1800, ["sea", "port"], Origin.WEB)
        here = f"/admin/sources/{tide.id}"
        assert (await desk.post(here, {**FEED, "name": "Tides", "every": "1h"})).status == 303
        assert (await desk.post(f"{here}/pause")).status == 303
        async with ctx.store.read() as tx:
            tides = await sources.by_name(tx, "Tides")
        assert tides is not None
        assert (tides.poll_every, tides.is_paused) == (3600, True)
        assert (await desk.post(f"{here}/resume")).status == 303
        assert (await desk.post(f"{here}/remove")).status == 303
        async with ctx.store.read() as tx:
            assert await sources.by_name(tx, "Tides") is None
        done = [(actor, action) for actor, action, _ in (await the_log(ctx))[:5]]
        actions = ("remove source", "resume source", "pause source", "edit source", "add source")
        assert done == [("operator:editor", action) for action in actions]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "file:///etc/passwd"}, "only http and https"),
        ({"url": "/etc"}, "only http and https"),
        ({"url": "http://"}, "url:"),
        ({"every": "soon"}, "poll_every:"),
        ({"name": ""}, "name:"),
        ({"name": "Gazette"}, "is there already"),
    ],
)
async def test_a_wrong_source_is_sent_back_with_what_is_wrong(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.EDITOR)
        before = await the_log(ctx)
        answer = await desk.post("/admin/sources", FEED | changes)
        assert answer.status == 422
        assert 'role="alert"' in answer.text
        assert words in answer.text
        assert f'value="{(FEED | changes)["tags"]}"' in answer.text, "what was typed is not lost"
        assert await the_log(ctx) == before


async def test_what_config_declares_can_be_paused_but_not_changed(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        for path, data in (
            ("/admin/sources/1", FEED),
            ("/admin/sources/1/remove", {}),
            ("/admin/topics/1", TOPIC),
            ("/admin/topics/1/remove", {}),
        ):
            answer = await desk.post(path, data)
            assert answer.status in (409, 422), path
            assert "declared in the configuration" in answer.text
        assert "so change it there" in (await desk.get("/admin/sources/1")).text
        assert (await desk.post("/admin/topics/1/pause")).status == 303
        assert (await desk.post("/admin/topics/1/resume")).status == 303


async def test_a_topic_is_added_edited_and_removed_and_its_query_looks_back(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.EDITOR)
        assert (await desk.post("/admin/topics", TOPIC)).status == 303
        async with ctx.store.read() as tx:
            made = await topics.by_slug(tx, "cranes")
            waiting = await topics.unmatched_backwards(tx)
        assert made is not None
        assert (made.name, made.origin, made.is_public) == ("Cranes", Origin.WEB, True)
        assert made.query_id in [query.id for query in waiting]
        here = f"/admin/topics/{made.id}"
        assert (await desk.post(here, {**TOPIC, "slug": "other", "query": "crane OR ship", "public": ""})).status == 303
        async with ctx.store.read() as tx:
            edited = await topics.by_slug(tx, "cranes")
        assert edited is not None, "a slug stays: it is in links"
        assert (edited.query_text, edited.is_public) == ("crane OR ship", False)
        for query in ("(crane", '"', "title:"):
            wrong = await desk.post(here, {**TOPIC, "query": query})
            assert wrong.status == 422, query
        assert (await desk.post(f"{here}/remove")).status == 303
        assert (await desk.get(here)).status == 404


async def test_a_readers_own_topic_is_nobody_elses_business(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        async with ctx.store.write() as tx:
            shared = await topics.by_slug(tx, "harbour")
            assert shared is not None
            mine = shared.model_copy(update={"id": None, "slug": "own-1", "name": "my secret", "owner_id": 1})
            number = await topics.insert(tx, mine)
        desk = await signed_in(ctx, client)
        assert (await desk.get(f"/admin/topics/{number}")).status == 404
        assert (await desk.post(f"/admin/topics/{number}/remove")).status == 404
        for path in ("/admin/topics", "/admin/tables/topics", "/admin/tables/topics?q=secret"):
            assert "my secret" not in (await desk.get(path)).text
        assert (await desk.get(f"/admin/tables/topics/detail?pk={number}")).status == 404


async def test_a_reader_is_found_paused_resumed_unsubscribed_and_erased(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        editor, owner = await signed_in(ctx, client, Role.EDITOR), await signed_in(ctx, client)
        assert "ada@reader.example" in (await editor.get("/admin/readers?email=ADA@re")).text
        assert "Nobody whose address" in (await editor.get("/admin/readers?email=ada%25")).text
        page = await editor.get("/admin/readers/1")
        assert "Harbour" in page.text or "harbour" in page.text

        async def status() -> SubscriberStatus:
            async with ctx.store.read() as tx:
                return (await subscribers.by_ids(tx, [1]))[1].status

        assert (await editor.post("/admin/readers/1/pause")).status == 303
        assert await status() == SubscriberStatus.PAUSED
        assert (await editor.post("/admin/readers/1/pause")).status == 409
        assert (await editor.post("/admin/readers/1/resume")).status == 303
        assert (await editor.post("/admin/readers/1/unsubscribe")).status == 303
        assert await status() == SubscriberStatus.UNSUBSCRIBED
        assert (await editor.post("/admin/readers/1/resume")).status == 409, "they come back only by themselves"
        assert (await editor.post("/admin/readers/1/erase")).status == 403
        assert (await owner.post("/admin/readers/1/erase")).status == 303
        assert (await owner.get("/admin/readers/1")).status == 404
        assert "ada@" not in str(await the_log(ctx)), "the log names readers by number"


async def test_a_reader_s_next_digest_is_shown_in_a_frame_that_can_do_nothing(tmp_path: Path) -> None:
    web = {"url": "http://127.0.0.1:8080"}
    async with paper(tmp_path, web=web) as (ctx, client):
        desk = await signed_in(ctx, client, Role.VIEWER)
        page = await desk.get("/admin/readers/1/preview")
        assert '<iframe class="letter" sandbox=""' in page.text
        assert "frame-src 'self'" in page.headers["content-security-policy"]
        letter = await desk.get("/admin/readers/1/letter")
        assert "The harbour gets a crane" in letter.text
        policy = letter.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert "script-src" not in policy
        assert "allow-" not in policy
        tokens = re.findall(r"/[up]/([A-Za-z0-9_-]{20,})", letter.text + page.text)
        assert tokens
        for token in tokens:
            for kind in "up":
                assert (await client.get(f"/{kind}/{token}")).status != 200, "a viewer must not act for the reader"
        async with ctx.store.read() as tx:
            assert await outbox.listing(tx) == [], "nothing was planned"


async def test_deliveries_are_retried_approved_and_cancelled_only_where_that_makes_sense(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.EDITOR)
        ids = {s: await deliver(ctx, s) for s in DeliveryStatus}

        async def act(verb: str, status: DeliveryStatus) -> int:
            form = {"ids": str(ids[status]), "verb": verb, "status": status}
            return (await desk.post("/admin/deliveries", form)).status

        can = {
            "retry": {DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.DEFERRED},
            "approve": {DeliveryStatus.HELD},
            "cancel": {DeliveryStatus.QUEUED},
        }
        for verb, statuses in can.items():
            for status in DeliveryStatus:
                if status not in {s for other in can.values() for s in other} or status in statuses:
                    assert (await act(verb, status) == 303) == (status in statuses), (verb, status)
        assert await status_of(ctx, ids[DeliveryStatus.FAILED]) == DeliveryStatus.QUEUED
        assert await status_of(ctx, ids[DeliveryStatus.HELD]) == DeliveryStatus.QUEUED
        assert await status_of(ctx, ids[DeliveryStatus.QUEUED]) == DeliveryStatus.CANCELLED
        assert await status_of(ctx, ids[DeliveryStatus.SENT]) == DeliveryStatus.SENT
        for data in ({"verb": "retry", "status": "failed"}, {"verb": "drop", "status": "failed", "ids": "1"}):
            assert (await desk.post("/admin/deliveries", data)).status == 409
        assert (await desk.get("/admin/deliveries?status=nonsense")).status == 404


async def test_many_deliveries_are_ticked_at_once(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.EDITOR)
        ids = [await deliver(ctx, DeliveryStatus.FAILED, code=n) for n in range(3)]
        form = f"csrf={desk.csrf}&verb=retry&status=failed&" + "&".join(f"ids={number}" for number in ids)
        headers = {"Cookie": desk.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        assert (await client.post("/admin/deliveries", form, headers=headers)).status == 303
        assert {await status_of(ctx, number) for number in ids} == {DeliveryStatus.QUEUED}
        assert (await the_log(ctx))[0] == ("operator:editor", "retry deliveries", "3 deliveries")


async def test_a_query_is_tried_on_recent_articles_and_on_a_pasted_text(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client, Role.VIEWER)
        found = await desk.post("/admin/query", {"query": "crane", "language": "en"})
        assert "1 of the latest 1 articles" in found.text
        assert "<mark>crane</mark>" in found.text
        none = await desk.post("/admin/query", {"query": "submarine"})
        assert "0 of the latest 1 articles" in none.text
        pasted = {"query": "whale -ship", "title": "A whale & a ship", "text": "It swims."}
        answer = await desk.post("/admin/query", pasted)
        assert "It does not match" in answer.text
        assert "Forbidden, but there" in answer.text
        wrong = await desk.post("/admin/query", {"query": "(crane"})
        assert wrong.status == 422
        assert "^" in wrong.text, "the caret shows the place"


async def test_hostile_text_stays_text_on_every_page(tmp_path: Path) -> None:
    async with paper(tmp_path, site={"name": HOSTILE}) as (ctx, client):
        async with ctx.store.write() as tx:
            hostile: dict[str, Any] = {"name": HOSTILE, "last_error": HOSTILE, "url": "javascript:alert(1)"}
            source = Source(origin=Origin.CLI, failures=3, next_poll_at=clock.now(), created_at=clock.now(), **hostile)
            number = await sources.insert(tx, source)
            await tx.execute(table_update("article", title=HOSTILE, summary=HOSTILE))
            await tx.execute(table_update("subscriber", name=HOSTILE))
            await tx.execute(table_update("topic", name=HOSTILE, query_text=HOSTILE))
        failed = await deliver(ctx, DeliveryStatus.FAILED, reason=HOSTILE)
        desk = await signed_in(ctx, client)
        await client.post("/admin/sign-in", {"name": "owner", "password": "x"}, headers={"User-Agent": HOSTILE})
        await desk.post("/admin/sources", {**FEED, "name": HOSTILE + "2"})
        pages = [
            "/admin/sources", f"/admin/sources/{number}", "/admin/topics", "/admin/topics/1", "/admin/readers",
            "/admin/readers/1", "/admin/readers/1/preview", "/admin/deliveries?status=failed",
            f"/admin/deliveries/{failed}",
            "/admin/log", "/admin/tables/sources", "/admin/tables/articles", "/admin/tables/articles/detail?pk=1",
            "/admin/tables/subscribers", f"/admin/tables/sources/detail?pk={number}", "/admin/tables/log",
            "/admin/tables/sources?q=%3Cscript%3E", "/admin/sign-in?next=%22%3E%3Cscript%3E",
        ]  # fmt: skip
        texts = [(path, (await desk.get(path)).text) for path in pages] + [("/admin", (await counted(desk)).text)]
        texts.append(("query", (await desk.post("/admin/query", {"query": "script", "title": HOSTILE})).text))
        texts.append(("wrong", (await desk.post("/admin/query", {"query": f"({HOSTILE}"})).text))
        for path, text in texts:
            assert "<script" not in text, path
            assert "<img" not in text, path
            assert 'href="javascript' not in text, path


def table_update(of: str, **values: str) -> Any:
    return SQLModel.metadata.tables[of].update().values(**values)


async def test_what_was_done_is_repeated_only_to_whoever_did_it(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        one, other = await signed_in(ctx, client), await signed_in(ctx, client, Role.VIEWER)
        there = (await one.post("/admin/sources/1/pause")).headers["location"]
        assert "said=" in there
        assert "Done: pause source, Gazette." in (await one.get(there)).text
        assert "Done:" not in (await other.get(there)).text
        for nonsense in ("said=x", "said=99999999999999999999", "said=-1", "said="):
            assert (await one.get(f"/admin/sources/1?{nonsense}")).status == 200


async def test_operators_are_added_changed_and_shut_out_but_an_owner_remains(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        assert (await desk.post("/admin/operators", {"name": "Bob", "role": "viewer", "password": ""})).status == 303
        short = {"name": "x", "role": "viewer", "password": "short"}
        for wrong in (short, {"name": "b b", "role": "viewer"}, {"name": "bob", "role": "viewer"}, {"name": "x"}):
            assert (await desk.post("/admin/operators", wrong)).status == 422, wrong
        made = await desk.post("/admin/operators/2/link")
        path = re.search(r"http://[^<]+(/s/[A-Za-z0-9_-]+)", made.text)
        assert path
        assert (await client.post(path[1])).status == 303
        assert (await desk.post("/admin/operators/2/role", {"role": "editor"})).status == 303
        assert (await desk.post("/admin/operators/2/disable")).status == 303
        assert (await desk.post("/admin/operators/2/link")).status == 409
        for last in (("/admin/operators/1/disable", {}), ("/admin/operators/1/role", {"role": "viewer"})):
            answer = await desk.post(*last)
            assert answer.status == 409
            assert "the only owner" in answer.text
        actions = [action for _, action, _ in await the_log(ctx)]
        assert {"add operator", "make sign-in link", "change role", "disable operator"} <= set(actions)


ASKED = (
    "q=ada@reader.example", "q=%25'\"", "q=1", "q=%00", "q=99999999999999", "q=http://x", "status=active",
    "status=sent", "status=x", "page=0", "page=x", "page_size=-1", "sort=body_html__asc", "filter=x", "q=1&status=sent",
)  # fmt: skip
KEYS = ("subscribers", "deliveries", "articles", "sources", "topics", "suppressions", "log")


async def test_every_table_lists_sorts_searches_pages_and_shows_a_row(tmp_path: Path, furnished_url: str) -> None:
    async with paper(tmp_path, furnished_url) as (ctx, client):
        for hours in (12, 24):  # whatever time it is, the next slot is not over for long when it is looked at
            await plan(ctx, clock.now() + timedelta(hours=hours))
        desk = await signed_in(ctx, client)
        await desk.post("/admin/readers/1/unsubscribe")
        for key in KEYS:
            here = f"/admin/tables/{key}"
            page = await desk.get(here)
            assert page.status == 200
            assert f'href="{here}/detail?pk=1"' in page.text, f"{key}: its rows show"
            assert (await desk.get(f"{here}/detail?pk=1")).status == 200
            for pk in ("77", "x", "", "9" * 12, "1;2"):
                assert (await desk.get(f"{here}/detail?pk={pk}")).status == 404, (key, pk)
            for column in re.findall(r"\?sort=([a-z_]+)__asc", page.text):
                assert (await desk.get(f"{here}?sort={column}__desc")).status == 200
            for asked in ASKED:
                assert (await desk.get(f"{here}?{asked}")).status in (200, 400), (key, asked)
            assert (await desk.get(f"{here}?page=99999999999999999999")).status == 404


async def test_every_page_answers_on_both_engines_whatever_number_it_is_asked_for(
    tmp_path: Path, furnished_url: str
) -> None:
    async with paper(tmp_path, furnished_url) as (ctx, client):
        desk = await signed_in(ctx, client)
        assert "Articles in" in (await counted(desk)).text
        for entry in ENTRIES:
            for number in ("1", "999999999999999999", "0", "-1", "x"):
                path = "/admin" + entry.path.replace("{number}", number).replace("{key}", "log")
                if entry.method == "GET":
                    assert (await desk.get(path)).status < 500, path
        for status in DeliveryStatus:
            assert (await desk.get(f"/admin/deliveries?status={status}")).status == 200
        for path in ("/admin/readers?email=a%00", "/admin/log?before=5", "/admin/log?before=99999999999"):
            assert (await desk.get(path)).status == 200
        form = {"verb": "retry", "status": "failed", "ids": "999999999999"}
        assert (await desk.post("/admin/deliveries", form)).status == 409
        assert (await desk.post("/admin/query", {"query": "crane\0", "title": "a\0b"})).status == 200
        assert (await desk.post("/admin/topics", {**TOPIC, "name": "a\0"})).status == 303


async def test_the_tables_find_a_reader_by_the_beginning_and_a_suppression_by_its_hash(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        assert "ada@reader.example" in (await desk.get("/admin/tables/subscribers?q=Ada@")).text
        assert "None that fits" in (await desk.get("/admin/tables/subscribers?q=da@")).text
        assert "None that fits" in (await desk.get("/admin/tables/suppressions?q=ada@reader.example")).text
        await desk.post("/admin/readers/1/erase")
        assert "erased" in (await desk.get("/admin/tables/suppressions?q=Ada@Reader.example")).text
        assert "ada@reader.example" not in (await desk.get("/admin/tables/subscribers")).text


BEYOND = ["create", "edit", "action", "_api/subscribers/action", "_api/subscribers/import", "static/js/list.js"]


@pytest.mark.parametrize("path", BEYOND)
async def test_of_the_table_library_only_what_reads_can_be_reached(tmp_path: Path, path: str) -> None:
    async with paper(tmp_path) as (ctx, client):
        desk = await signed_in(ctx, client)
        for here in (f"/admin/tables/{path}", f"/admin/tables/subscribers/{path}"):
            assert (await desk.get(here)).status == 404
            assert (await desk.post(here)).status in (404, 405)
        assert (await desk.post("/admin/tables/subscribers")).status == 405


async def test_the_desk_works_under_a_prefix(tmp_path: Path) -> None:
    async with paper(tmp_path, web={"url": "https://gazette.example/letters"}) as (ctx, client):
        desk = await signed_in(ctx, client)
        page = await desk.get("/letters/admin/tables/subscribers")
        assert 'href="/letters/admin/sources"' in page.text
        assert (await desk.get("/admin/tables")).headers["location"] == "/letters/admin/tables/subscribers"
        done = await desk.post("/letters/admin/sources/1/pause", Origin="https://gazette.example")
        assert done.headers["location"].startswith("/letters/admin/sources/1?said=")
        async with ctx.store.read() as tx:
            assert (await one(tx, Source, table(Source).c.is_paused.is_(True))) is not None
