"""A POST that comes twice acts once, on one machine or many, even if we die in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from api_client import Program, program, reader

from dispatcher import clock
from dispatcher.store import Store, access, articles, audits
from dispatcher.store.access import KEPT, PATIENCE
from dispatcher.web.api.idempotency import Claim, Reply, once
from dispatcher.web.api.problems import ProblemError

ARTICLE = {"title": "The ferry sails"}


@pytest.fixture
async def shop(furnished_url: str, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, furnished_url) as found:
        yield found


async def acts(shop: Program) -> list[str]:
    """What was done, by the audit log."""
    async with shop.ctx.store.read() as tx:
        return [line.action for line in await audits.latest(tx, 100) if line.actor.startswith("token:")]


async def test_a_repeat_is_answered_the_same_and_does_nothing(shop: Program) -> None:
    first = await shop.post("/articles", ARTICLE, idempotency_key="a")
    again = await shop.post("/articles", ARTICLE, idempotency_key="a")
    assert (again.status, again.text) == (first.status, first.text) == (201, first.text)
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await acts(shop) == ["publish article"]


async def test_every_post_knows_its_repeat(shop: Program) -> None:
    ann = await reader(shop.ctx)
    await shop.post("/subscribers", {"email": "bob@reader.example", "consent": "by phone"})
    for path, body in (
        ("/topics", {"slug": "air", "query": "plane"}),
        ("/topics/test", {"query": "plane"}),
        ("/subscribers", {"email": "cy@reader.example", "consent": "by phone"}),
        (f"/subscribers/{ann}/pause", None),
        (f"/subscribers/{ann}/resume", None),
    ):
        first = await shop.post(path, body, idempotency_key=f"{path} once".replace(" ", "-"))
        again = await shop.post(path, body, idempotency_key=f"{path} once".replace(" ", "-"))
        assert first.status in (200, 201), path
        assert (again.status, again.text) == (first.status, first.text)
        assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_is_good_for_one_request_of_one_token(shop: Program) -> None:
    await shop.post("/articles", ARTICLE, idempotency_key="a")
    for path, body in (("/articles", {"title": "Another"}), ("/topics/test", {"query": "ferry"})):
        told = await shop.post(path, body, idempotency_key="a")
        assert told.status == 422
        assert told.is_problem
    other = await shop.with_scopes("other", "*")
    told = await other.post("/articles", {"title": "Another"}, idempotency_key="a")
    assert told.status == 201


async def test_what_was_refused_did_nothing_and_may_be_tried_again(shop: Program) -> None:
    body = {"slug": "air", "query": "plane"}
    await shop.post("/topics", body)
    assert (await shop.post("/topics", body, idempotency_key="a")).status == 409
    await shop.delete("/topics/air")
    assert (await shop.post("/topics", body, idempotency_key="a")).status == 201


async def test_many_at_once_act_once(shop: Program) -> None:
    told = await asyncio.gather(*(shop.post("/articles", ARTICLE, idempotency_key="a") for _ in range(8)))
    assert {one.status for one in told} <= {201, 409}
    assert len({one.text for one in told if one.status == 201}) == 1
    assert await acts(shop) == ["publish article"]
    assert (await shop.post("/articles", ARTICLE, idempotency_key="a")).status == 201


async def test_many_who_bring_the_same_without_a_key_are_never_a_mistake_of_ours(shop: Program) -> None:
    topic = {"slug": "air", "query": "plane"}
    person = {"email": "ann@reader.example", "consent": "by phone"}
    for path, body, good in (("/topics", topic, {201, 409}), ("/subscribers", person, {201, 409}),
                             ("/articles", ARTICLE, {201, 200})):  # fmt: skip
        told = await asyncio.gather(*(shop.post(path, body) for _ in range(6)))
        assert {one.status for one in told} <= good, path
        assert [one.status for one in told].count(201) == 1


async def test_while_the_first_is_at_it_the_second_is_told_to_wait(shop: Program) -> None:
    store, started, go_on = shop.ctx.store, asyncio.Event(), asyncio.Event()

    async def first() -> None:
        started.set()
        await go_on.wait()

    slow = asyncio.create_task(once(store, claim(), work(201), first))
    await started.wait()
    with pytest.raises(ProblemError) as refused:
        await once(store, claim(), work(200))
    assert (refused.value.status, refused.value.headers) == (409, {"Retry-After": "1"})
    go_on.set()
    assert (await slow).status == 201
    assert await once(store, claim(), work(200)) == Reply(201, "{}", is_replayed=True)


async def test_a_dead_ones_claim_lapses_and_one_that_was_only_slow_undoes_what_it_did(shop: Program) -> None:
    store, now = shop.ctx.store, clock.now()
    async with store.write() as tx:
        assert await access.claim_answer(tx, 1, "a", "h", now - PATIENCE - timedelta(seconds=1)) is None
    assert (await once(store, claim(), work(201))).status == 201
    slow = claim(now - PATIENCE - timedelta(seconds=1), key="b")

    async def overtaken() -> None:
        assert (await once(store, claim(key="b"), work(201))).status == 201

    with pytest.raises(ProblemError) as refused:
        await once(store, slow, write_something(store), overtaken)
    assert refused.value.status == 409
    async with store.read() as tx:
        assert await articles.newest(tx, limit=1) == []
        assert await audits.latest(tx, 1, before_id=None) is not None
    assert (await once(store, claim(key="b"), work(200))).status == 201, "the answer of the one who took over stands"


async def test_an_answer_is_kept_for_a_day(shop: Program) -> None:
    store, now = shop.ctx.store, clock.now()
    old = now - KEPT - timedelta(seconds=1)
    assert (await once(store, claim(old), work(201))).status == 201
    assert (await once(store, claim(now), work(200))).status == 200
    async with store.write() as tx:
        assert await access.prune(tx, now) == 0
        assert await access.prune(tx, now + KEPT + timedelta(seconds=1)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "schlüssel"])
async def test_a_key_that_is_none_is_refused(shop: Program, key: str) -> None:
    told = await shop.post("/articles", ARTICLE, idempotency_key=key)
    assert told.status == 422
    assert [error["parameter"] for error in told.json["errors"]] == ["Idempotency-Key"]


def claim(at: object = None, *, key: str = "a") -> Claim:
    return Claim(1, key, "h", at or clock.now())  # type: ignore[arg-type]


def work(status: int) -> object:
    async def done(tx: object) -> Reply:
        return Reply(status, "{}")

    return done


def write_something(store: Store) -> object:
    async def done(tx: object) -> Reply:
        import builders

        from dispatcher.store import sources

        now = clock.now()
        source_id = await sources.insert(tx, builders.source(now))  # type: ignore[arg-type]
        await articles.insert(tx, [builders.article(now, source_id=source_id)])  # type: ignore[arg-type]
        return Reply(201, "{}")

    return done
