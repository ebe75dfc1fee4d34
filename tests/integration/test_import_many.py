"""Many people at once are treated as each would be alone: new ones in bulk, others with care, none unasked."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import settings, topic, world

from dispatcher.model.audience import Endpoint, Schedule, Subscriber, Subscription
from dispatcher.model.consent import Consent
from dispatcher.model.values import ConsentKind, Origin, SuppressionReason
from dispatcher.pipeline import enrolment, intake, lines, roster, sheet
from dispatcher.pipeline.admission import admit, person
from dispatcher.pipeline.applicants import COLUMNS, IGNORED
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.store import Store, consents, subscribers, suppressions, topics
from dispatcher.store.engine import add_new, many, table
from dispatcher.store.keys import address_hash

ANN, BOB = "ann@reader.example", "bob@reader.example"
TOPICS = [topic("energy", "energy"), topic("sport", "football OR rowing"), topic("all", "*")]


@pytest.fixture
async def ctx(tmp_path: Path, furnished_url: str, now: datetime) -> AsyncIterator[Context]:
    """A newsletter with three topics, on both databases."""
    async with world(settings(tmp_path, furnished_url, topics=TOPICS), now) as opened:
        yield opened


Told = tuple[roster.TakenIn, dict[int, str]]
"""What became of a file, and what was said of which line."""


async def take_in(ctx: Context, now: datetime, people: Iterable[dict[str, str]]) -> Told:
    bad: dict[int, str] = {}
    rows = (sheet.Row(number, cells) for number, cells in enumerate(people, 2))
    return await roster.take_in(ctx, rows, now, on_bad=bad.__setitem__), bad


async def take_in_file(ctx: Context, now: datetime, text: str) -> Told:
    """Import JSON Lines."""
    path, bad = ctx.settings.base / "people.jsonl", dict[int, str]()
    path.write_text(text, encoding="utf-8")
    with sheet.opened(path) as file:
        rows = lines.Lines(file, known=COLUMNS, ignored=IGNORED)
        return await roster.take_in(ctx, rows, now, on_bad=bad.__setitem__), bad


async def proof(ctx: Context, email: str) -> list[Consent]:
    async with ctx.store.read() as tx:
        return await consents.of(tx, address_hash(ctx.address_key, email))


async def written(ctx: Context) -> str:
    out = io.StringIO()
    await roster.write_out(ctx, out, as_lines=True)
    return out.getvalue()


@pytest.mark.parametrize("cadence", ["daily at 7:30", "hourly", "instant", "monthly on 1 at 08:00"])
@pytest.mark.parametrize("look", ["period", "nothing"])
async def test_who_comes_among_many_is_stored_as_who_comes_alone(
    cadence: str, look: str, tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    chosen = settings(tmp_path, furnished_url, topics=TOPICS, schedule={"first_digest": look})
    said = {"name": "Ann", "timezone": "Asia/Tokyo", "locale": "de", "cadence": cadence}
    async with world(chosen, now) as ctx:
        await take_in(ctx, now, [{"email": ANN, **said, "topics": "energy; sport = weekly on mon at 08:00"}])
        entry = subscriber_entry(
            email=BOB, **said, topics=[{"topic": "energy"}, {"topic": "sport", "cadence": "weekly on mon at 08:00"}]
        )
        async with ctx.store.write() as tx:
            slugs = {topic.slug: topic for topic in await topics.every(tx)}
            await admit(ctx, tx, entry, slugs, now, origin=Origin.IMPORT)
        assert await everything(ctx.store, ANN, ctx.address_key) == await everything(ctx.store, BOB, ctx.address_key)


async def everything(store: Store, email: str, key: bytes) -> list[dict[str, Any]]:
    """All rows of a person, but for what must differ between two people."""
    async with store.read() as tx:
        reader = await person(tx, email)
        rows: list[Any] = [reader]
        for noun in (Endpoint, Subscription, Schedule):
            rows += await many(tx, noun, table(noun).c.subscriber_id == reader.id)
        rows += await consents.of(tx, address_hash(key, email))
    own = {"id", "email", "address", "address_hash", "subscriber_id"}
    shown = [row.model_dump(exclude=own) for row in rows]
    return sorted(shown, key=repr)


async def test_thousands_are_enrolled_each_once_and_again_nothing_changes(ctx: Context, now: datetime) -> None:
    people = [
        {"email": f"r{n}@reader.example", "timezone": ["UTC", "Asia/Tokyo"][n % 2], "topics": "energy, sport"}
        for n in range(2 * roster.BATCH + 7)
    ]
    done, bad = await take_in(ctx, now, [*people, people[0]])
    assert (done.created, done.bad) == (len(people), 1)
    assert "more than once" in bad[len(people) + 2]
    before = await written(ctx)
    done, bad = await take_in(ctx, now + timedelta(days=1), people)
    assert (done.unchanged, bad) == (len(people), {})
    assert await written(ctx) == before
    async with ctx.store.read() as tx:
        for noun, each in ((Endpoint, 1), (Subscription, 2), (Schedule, 1), (Consent, 1)):
            count = sa.select(sa.func.count()).select_from(table(noun))
            assert (await tx.execute(count)).scalar_one() == each * len(people)


async def test_a_database_that_was_written_in_bulk_can_be_written_one_by_one(ctx: Context, now: datetime) -> None:
    """Ids that were set aside are not given out again."""
    await take_in(ctx, now, [{"email": f"r{n}@reader.example", "topics": "energy"} for n in range(5)])
    async with ctx.store.write() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
        entry = subscriber_entry(email=ANN, topics=["energy"])
        assert await admit(ctx, tx, entry, slugs, now, origin=Origin.CLI) == "created"
    done, _ = await take_in(ctx, now, [{"email": BOB, "topics": "energy"}])
    assert done.created == 1
    async with ctx.store.read() as tx:
        found = await subscribers.by_emails(tx, [ANN, BOB, "r0@reader.example"])
    assert len({one.id for one in found.values()}) == 3


async def test_good_and_bad_new_and_known_lines_are_told_apart_in_one_batch(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, [{"email": ANN, "name": "Ann", "topics": "energy"}, {"email": "left@reader.example"}])
    async with ctx.store.write() as tx:
        left = await person(tx, "left@reader.example")
        await enrolment.leave(tx, ctx.address_key, left, ctx.newsletter.id or 0, now)
    done, bad = await take_in(
        ctx,
        now,
        [
            {"email": "left@reader.example", "topics": "energy", "consent": "asked again"},
            {"email": "new@reader.example", "topics": "energy"},
            {"email": "none"},
            {"email": ANN, "name": "Anne"},
            {"email": "cyd@reader.example", "topics": "enrgy"},
            {"email": "dan@reader.example", "status": "bounced"},
            {"email": "left@reader.example"},
            {"name": "nobody"},
        ],
    )
    assert (done.created, done.updated, done.unchanged, done.bad) == (1, 1, 0, 6)
    assert list(bad) == [2, 4, 6, 7, 8, 9]
    assert 'did you mean "energy"' in bad[6]


async def test_proof_from_elsewhere_is_kept_and_not_twice(ctx: Context, now: datetime) -> None:
    row = {"email": ANN, "topics": "energy", "consent_at": "2024-05-01T10:11:12+02:00", "consent_ip": "192.0.2.7",
           "consent_source": "https://news.example/join"}  # fmt: skip
    await take_in(ctx, now, [row, {"email": BOB}])
    [kept], [vouched] = await proof(ctx, ANN), await proof(ctx, BOB)
    assert (kept.kind, kept.at, kept.ip, kept.source, kept.topics, kept.address) == (
        ConsentKind.VOUCHED, datetime(2024, 5, 1, 8, 11, 12, tzinfo=UTC), "192.0.2.7", "https://news.example/join",
        ["energy"], ANN,
    )  # fmt: skip
    assert (vouched.at, vouched.source) == (now, "the operator vouches for it")
    assert (await take_in(ctx, now, [row]))[0].unchanged == 1
    done, _ = await take_in(ctx, now, [{"email": BOB, "consent": "on paper"}])
    assert done.updated == 1
    assert [one.source for one in await proof(ctx, BOB)] == ["the operator vouches for it", "on paper"]
    done, _ = await take_in(ctx, now + timedelta(days=3), [{"email": BOB, "consent": "on paper"}])
    assert done.unchanged == 1


async def test_who_is_added_by_hand_has_proof_as_well(ctx: Context, now: datetime) -> None:
    entry = subscriber_entry(email=ANN, topics=["energy"])
    async with ctx.store.write() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
        await admit(ctx, tx, entry, slugs, now, origin=Origin.CLI, consent="told me on the phone")
    [kept] = await proof(ctx, ANN)
    assert (kept.kind, kept.source, kept.at) == (ConsentKind.VOUCHED, "told me on the phone", now)


async def test_lines_of_json_give_the_proof_back_and_come_back_unchanged(ctx: Context, now: datetime) -> None:
    row = {"email": ANN, "name": '"Ann" =1+1', "topics": "energy = instant; sport", "consent_at": "2024-05-01",
           "consent_ip": "2001:db8::7", "consent_source": "the form"}  # fmt: skip
    await take_in(ctx, now, [row, {"email": BOB, "name": "Bób"}])
    out = await written(ctx)
    ann = json.loads(out.splitlines()[0])
    assert ann["topics"] == [{"topic": "energy", "cadence": "instant"}, {"topic": "sport"}]
    assert (ann["consent_at"], ann["consent_source"]) == ("2024-05-01T00:00:00+00:00", "the form")
    assert [piece["kind"] for piece in ann["consents"]] == ["vouched"]
    done, bad = await take_in_file(ctx, now, out)
    assert (done.unchanged, bad) == (2, {})
    assert await written(ctx) == out


async def test_whoever_comes_in_by_another_door_meanwhile_is_admitted_with_care(ctx: Context, now: datetime) -> None:
    """The desk has seen a stranger; when it comes to enrol them, they are there, and what they chose stands."""
    async with ctx.store.read() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    register, done = roster.Register(now), roster.TakenIn()
    told = register.read(sheet.Row(2, {"email": ANN, "timezone": "Asia/Tokyo", "topics": "energy"}))
    assert isinstance(told, roster.Applicant)
    desk = intake.Desk(ctx, slugs, now, done, [])
    async with ctx.store.write() as tx:
        entry = subscriber_entry(email=ANN, timezone="Europe/London")
        await admit(ctx, tx, entry, slugs, now, origin=Origin.WEB)
        reader = await person(tx, ANN)
        await subscribers.write(tx, reader.id or 0, chosen=["timezone"])
    await desk._enrol([told])
    assert (done.created, desk.changed) == (0, [told])
    await desk._admit(desk.changed)
    assert done.updated == 1
    async with ctx.store.read() as tx:
        assert (await person(tx, ANN)).timezone == "Europe/London"


async def test_one_row_that_cannot_be_stored_leaves_the_others_alone(ctx: Context, now: datetime) -> None:
    """What gets past the checks and is refused by the database is set aside, however many come with it."""
    async with ctx.store.read() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    register, done = roster.Register(now), roster.TakenIn()
    told = [register.read(sheet.Row(n, {"email": f"r{n}@reader.example", "name": f"R{n}"})) for n in range(2, 9)]
    people = [one for one in told if isinstance(one, roster.Applicant)]
    people[3] = people[3]._replace(name="half \ud800 of a character")
    desk = intake.Desk(ctx, slugs, now, done, [])
    await desk.take(people)
    assert (done.created, [refusal.line for refusal in desk.refused]) == (6, [5])


async def test_others_write_while_thousands_come_in(ctx: Context, now: datetime) -> None:
    """Between two transactions of an import somebody else always has a turn."""
    people = ({"email": f"r{n}@reader.example", "topics": "energy"} for n in range(3 * roster.BATCH))
    other = Store(ctx.store.url.render_as_string(hide_password=False))
    turns = 0
    importing = asyncio.create_task(take_in(ctx, now, people))
    while not importing.done():
        async with other.write() as tx:
            await add_new(tx, Consent, [consent(turns, now)])
        turns += 1
        await asyncio.sleep(0.01)
    await other.close()
    assert (await importing)[0].created == 3 * roster.BATCH
    assert turns >= 3


def consent(number: int, now: datetime) -> dict[str, Any]:
    values = {"kind": ConsentKind.VOUCHED, "newsletter_id": 1, "address": f"x{number}@reader.example", "topics": []}
    return {**values, "address_hash": "x", "at": now, "source": "", "wording": "", "ip": "", "user_agent": ""}


async def test_people_are_found_by_their_address_without_reading_everybody(ctx: Context, now: datetime) -> None:
    """The index on addresses leaves out those who were erased, and is used only if the question does so too."""
    if not ctx.store.is_sqlite:
        pytest.skip("PostgreSQL chooses by what is in the table")
    query = sa.select(Subscriber.id).where(subscribers.SUBSCRIBER.c.email == ANN, subscribers._HAS_EMAIL)
    async with ctx.store.read() as tx:
        text = query.compile(compile_kwargs={"literal_binds": True})
        plan = (await tx.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))).one()
    assert "USING" in plan[3]


async def test_two_addresses_of_one_hash_are_barred_together(ctx: Context, now: datetime) -> None:
    """The hash is blind to case, and to case "ß" is "ss": a suppression of either stands for both."""
    both = ["fuß@reader.example", "fuss@reader.example"]
    async with ctx.store.write() as tx:
        await suppressions.add(tx, address_hash(ctx.address_key, both[0]), SuppressionReason.BOUNCED, now)
    done, bad = await take_in(ctx, now, [{"email": email} for email in both])
    assert (done.created, done.bad, ["suppressed" in reason for reason in bad.values()]) == (0, 2, [True, True])


async def test_topics_without_end_are_refused(ctx: Context, now: datetime) -> None:
    done, bad = await take_in(ctx, now, [{"email": ANN, "topics": "energy, " * 20_000}, {"email": BOB}])
    assert (done.created, bad) == (1, {2: "topics: is longer than 10,000 characters"})
