"""People from a sheet: read in every dialect, checked line by line, never brought back against their will."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders import settings, subscriber, topic, world
from hypothesis import HealthCheck, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from dispatcher.errors import DispatcherError
from dispatcher.model.values import PausedBy, SubscriptionStatus, SuppressionReason
from dispatcher.pipeline import enrolment, roster, sheet
from dispatcher.pipeline.admission import person, suppressed
from dispatcher.pipeline.context import Context
from dispatcher.store import subscribers, suppressions, topics
from dispatcher.store.keys import address_hash

ANN, BOB = "ann@reader.example", "bob@reader.example"
TOPICS = [topic("energy", "energy"), topic("sport", "football OR rowing"), topic("all", "*")]


@pytest.fixture
async def ctx(tmp_path: Path, database_url: str, now: datetime) -> AsyncIterator[Context]:
    """A newsletter with three topics, on both databases."""
    async with world(settings(tmp_path, database_url, topics=TOPICS), now) as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path, now: datetime) -> AsyncIterator[Context]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    async with world(settings(tmp_path, topics=TOPICS), now) as opened:
        yield opened


Outcome = tuple[dict[str, int], dict[int, str]]


async def take_in(ctx: Context, now: datetime, content: str | bytes) -> Outcome:
    """Import a file; what came of it, and what was said of which line."""
    path = ctx.settings.base / "people.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    bad: dict[int, str] = {}
    with sheet.opened(path) as file:
        rows = sheet.Rows(file, known=roster.COLUMNS, ignored=roster.IGNORED)
        done = await roster.take_in(ctx, rows, now, on_bad=bad.__setitem__)
    return {name: getattr(done, name) for name in ("created", "updated", "unchanged", "bad")}, bad


async def written(ctx: Context) -> str:
    out = io.StringIO()
    await roster.write_out(ctx, out)
    return out.getvalue()


async def followed(ctx: Context, email: str) -> dict[str, str]:
    """Topic → cadence of what somebody follows."""
    async with ctx.store.read() as tx:
        reader = await person(tx, email)
        mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
        known = await topics.by_ids(tx, [s.topic_id for s in mine])
    return {known[s.topic_id].slug: s.cadence for s in mine if s.status == SubscriptionStatus.ACTIVE}


def counts(**changed: int) -> dict[str, int]:
    return {"created": 0, "updated": 0, "unchanged": 0, "bad": 0} | changed


async def test_the_same_file_a_second_time_changes_nothing(ctx: Context, now: datetime) -> None:
    text = (
        f"email,name,timezone,locale,topics,cadence\n{ANN},Ann,Europe/London,en,energy; sport = hourly,daily at 9:00\n"
    )
    assert await take_in(ctx, now, text) == (counts(created=1), {})
    before = await written(ctx)
    assert await take_in(ctx, now + timedelta(days=1), text) == (counts(unchanged=1), {})
    assert await written(ctx) == before
    assert await followed(ctx, ANN) == {"energy": "daily at 09:00", "sport": "hourly"}


async def test_a_changed_line_changes_what_it_says_and_nothing_else(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"email,name,timezone,topics\n{ANN},Ann,Europe/London,energy\n")
    assert await take_in(ctx, now, f"timezone,email,topics\nAsia/Tokyo,{ANN},sport\n") == (counts(updated=1), {})
    async with ctx.store.read() as tx:
        reader = await person(tx, ANN)
    assert (reader.name, reader.timezone) == ("Ann", "Asia/Tokyo")
    assert set(await followed(ctx, ANN)) == {"energy", "sport"}


@pytest.mark.parametrize(
    "content",
    [
        f"email,name\n{ANN},Ann\n",
        f"name;email\nAnn;{ANN}\n",
        f"email\tname\n{ANN}\tAnn\n",
        f"\ufeffEMAIL, Name \r\n{ANN}, Ann \r\n".encode(),
        f"email\tname\r\n{ANN}\tAnn\r\n".encode("utf-16"),
        f'\n\n"email","name"\n\n,\n"{ANN}","Ann"\n\n',
        f"email,name\r{ANN},Ann\r",
        f'email,name,,notes\n{ANN},Ann,,"two\nlines, and ""quotes"""\n',
    ],
    ids=["commas", "semicolons", "tabs", "mark and capitals", "utf-16", "quoted, with gaps", "old mac", "more columns"],
)
async def test_every_dialect_of_csv_is_read(content: str | bytes, desk: Context, now: datetime) -> None:
    assert await take_in(desk, now, content) == (counts(created=1), {})
    async with desk.store.read() as tx:
        assert (await person(tx, ANN)).name == "Ann"


async def test_bad_lines_are_told_with_their_number_and_the_rest_is_taken(desk: Context, now: datetime) -> None:
    done, bad = await take_in(
        desk,
        now,
        "email,name,timezone,topics,cadence\n"  # 1
        "not an address,,,,\n"  # 2
        "\n"
        f'{ANN},"Ann\nof the two lines",,energy,\n'  # 4 and 5
        "cyd@reader.example,,Europe/Londn,,\n"  # 6
        "dan@reader.example,,,enrgy,\n"  # 7
        "eve@reader.example,,,energy,sometimes\n"  # 8
        f"{ANN.upper()},,,,\n"  # 9
        ",Nobody,,,\n"  # 10
        "fay@reader.example,a,b,c,d,e,f\n"  # 11
        "gus@reader.example,,,energy = now and then,\n"  # 12
        f"{BOB}\n",  # 13
    )
    assert done == counts(created=2, bad=8)
    reasons = {
        2: "is not an e-mail address", 6: 'did you mean "Europe/London"?', 7: 'did you mean "energy"?',
        8: "is not a cadence", 9: "more than once", 10: "there is no e-mail address", 11: "7 cells",
        12: "is not a cadence",
    }  # fmt: skip
    assert set(bad) == set(reasons)
    assert all(reason in bad[number] for number, reason in reasons.items())
    async with desk.store.read() as tx:
        assert (await person(tx, ANN)).name == "Ann of the two lines"


async def test_a_quotation_mark_that_never_closes_spoils_its_lines_and_not_the_import(
    desk: Context, now: datetime
) -> None:
    done, bad = await take_in(desk, now, f'email,name\n{ANN},Ann\ncyd@reader.example,"Cyd\ndan@reader.example,Dan\n')
    assert done == counts(created=1, bad=1)
    assert bad == {3: "a quotation mark is out of place, which swallowed everything up to line 4"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (f"{ANN},Ann\n", "there is no column email"),
        (f"e-mail,name\n{ANN},Ann\n", 'is it "e-mail"?'),
        (f"email,name,email\n{ANN},Ann,{ANN}\n", "the column email is there twice"),
        (f"email,name\n{BOB},Bob\n{ANN},Zo\xeb\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b"PK\x03\x04 and so on", "save it as CSV"),
        (f"email\n{ANN}\n".encode("utf-16")[:-1], "is not UTF-16"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    content: str | bytes, message: str, desk: Context, now: datetime
) -> None:
    with pytest.raises(DispatcherError, match=message):
        await take_in(desk, now, content)
    async with desk.store.read() as tx:
        assert [page async for page in subscribers.pages(tx)] == []


async def test_a_column_that_is_not_read_is_mentioned_once(desk: Context) -> None:
    path = desk.settings.base / "people.csv"
    path.write_text("email,nmae,created_at,shoe size,\n")
    with sheet.opened(path) as file:
        notes = sheet.Rows(file, known=roster.COLUMNS, ignored=roster.IGNORED).notes
    assert notes == ('the column "nmae" is not read; did you mean "name"?', 'the column "shoe size" is not read')


@pytest.mark.parametrize(
    ("cell", "follows"),
    [
        ("energy", {"energy": "daily at 07:30"}),
        ("energy, sport", {"energy": "daily at 07:30", "sport": "daily at 07:30"}),
        ("energy sport", {"energy": "daily at 07:30", "sport": "daily at 07:30"}),
        ("energy\nsport", {"energy": "daily at 07:30", "sport": "daily at 07:30"}),
        (
            "energy = weekly on mon,thu at 08:00; sport",
            {"energy": "weekly on mon,thu at 08:00", "sport": "daily at 07:30"},
        ),
        ("energy | sport=instant |", {"energy": "daily at 07:30", "sport": "instant"}),
        (" ; ,", {}),
    ],
)
async def test_topics_are_listed_as_people_list_things(
    cell: str, follows: dict[str, str], desk: Context, now: datetime
) -> None:
    await take_in(desk, now, f'email,topics\n{ANN},"{cell}"\n')
    assert await followed(desk, ANN) == follows


async def test_an_import_never_brings_back_who_left_bounced_complained_or_was_erased(
    ctx: Context, now: datetime
) -> None:
    emails = ["left@reader.example", "bounced@reader.example", "complained@reader.example", "erased@reader.example"]
    text = "email,topics\n" + "".join(f"{email},energy\n" for email in emails)
    await take_in(ctx, now, text)
    async with ctx.store.write() as tx:
        left, bounced, complained, erased = [await person(tx, email) for email in emails]
        await enrolment.leave(tx, ctx.address_key, left, ctx.newsletter.id or 0, now)
        await enrolment.erase(tx, ctx.address_key, erased, now)
        for one, reason in ((bounced, SuppressionReason.BOUNCED), (complained, SuppressionReason.COMPLAINED)):
            await suppressions.add(tx, address_hash(ctx.address_key, one.email), reason, now, address=one.email)
    before = await written(ctx)
    done, bad = await take_in(ctx, now, text)
    assert done == counts(bad=4)
    assert [("suppressed" in bad[number]) for number in (2, 3, 4, 5)] == [True] * 4
    assert await written(ctx) == before


async def test_an_import_follows_no_topic_that_its_reader_has_left(ctx: Context, now: datetime) -> None:
    text = f"email,topics\n{ANN},energy; sport\n"
    await take_in(ctx, now, text)
    async with ctx.store.write() as tx:
        reader = await person(tx, ANN)
        [energy, _] = (await subscribers.subscriptions(tx, [reader.id or 0]))[reader.id or 0]
        await subscribers.write_subscription(tx, energy.id or 0, status=SubscriptionStatus.ENDED)
    assert await take_in(ctx, now, text) == (counts(bad=1), {2: f'{ANN} has left the topic "energy"'})


async def test_what_a_reader_chose_stands_against_an_import(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"email,timezone,topics\n{ANN},Europe/London,energy\n")
    async with ctx.store.write() as tx:
        reader = await person(tx, ANN)
        await subscribers.write(tx, reader.id or 0, timezone="Asia/Tokyo", chosen=["timezone"])
    assert await take_in(ctx, now, f"email,timezone,topics\n{ANN},Europe/London,energy\n") == (counts(unchanged=1), {})


async def test_what_config_declares_is_not_changed_by_an_import(
    tmp_path: Path, database_url: str, now: datetime
) -> None:
    declared = subscriber(ANN, "energy", name="Ann", timezone="Europe/London")
    chosen = settings(tmp_path, database_url, topics=TOPICS, subscribers=[declared])
    async with world(chosen, now) as ctx:
        assert await take_in(ctx, now, await written(ctx)) == (counts(unchanged=1), {})
        done, bad = await take_in(ctx, now, f"email,timezone\n{ANN},UTC\n")
        assert (done, "change this there: timezone" in bad[2]) == (counts(bad=1), True)


async def test_a_whole_readership_goes_out_and_comes_back_unchanged(ctx: Context, now: datetime) -> None:
    await take_in(
        ctx,
        now,
        "email,name,topics,cadence\n"
        f"{ANN},Ann,energy = instant; all,weekly on mon at 08:00\n"
        f'{BOB},"O\'Brien, Bob",,\n'
        "+plus@reader.example,'=1+1,sport,\n"
        "cyd@reader.example,Cyd,all,\ndan@reader.example,Dan,all,\neve@reader.example,Eve,all,\n",
    )
    async with ctx.store.write() as tx:
        letter = ctx.newsletter.id or 0
        await enrolment.pause(tx, await person(tx, "cyd@reader.example"), PausedBy.OPERATOR, letter, now)
        await enrolment.leave(tx, ctx.address_key, await person(tx, "dan@reader.example"), letter, now)
        hashed = address_hash(ctx.address_key, "eve@reader.example")
        await suppressions.add(tx, hashed, SuppressionReason.BOUNCED, now, address="eve@reader.example")
    out = await written(ctx)
    rows = {row["email"].lstrip("'"): row for row in csv.DictReader(io.StringIO(out))}
    assert [rows[f"{who}@reader.example"]["status"] for who in ("ann", "cyd", "dan", "eve")] == [
        "active", "paused", "unsubscribed", "bounced",
    ]  # fmt: skip
    assert rows["+plus@reader.example"]["name"] == "'=1+1"
    assert await take_in(ctx, now, out) == (counts(unchanged=6), {})
    assert await written(ctx) == out


async def test_whoever_got_no_mail_elsewhere_is_not_enrolled_here(desk: Context, now: datetime) -> None:
    done, bad = await take_in(desk, now, f"email,status\n{ANN},unsubscribed\n{BOB},Active\n")
    assert (done, "unsubscribed" in bad[2]) == (counts(created=1, bad=1), True)


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)


@rounds(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(names=st.lists(NAMES | st.builds(str.__add__, st.sampled_from("=+-@'"), NAMES), min_size=1, max_size=8))
async def test_any_names_at_all_go_out_and_come_back(names: list[str], desk: Context, now: datetime) -> None:
    rows = io.StringIO()
    csv.writer(rows).writerows([("email", "name")] + [(f"r{i}@reader.example", name) for i, name in enumerate(names)])
    await take_in(desk, now, rows.getvalue())
    out = await written(desk)
    done, bad = await take_in(desk, now, out)
    assert (done["updated"], done["created"], bad) == (0, 0, {})
    assert await written(desk) == out


async def test_suppressed_names_only_those_who_are(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"email\n{ANN}\n{BOB}\n")
    async with ctx.store.write() as tx:
        await suppressions.add(tx, address_hash(ctx.address_key, ANN), SuppressionReason.BOUNCED, now, address=ANN)
    async with ctx.store.read() as tx:
        assert await suppressed(ctx, tx, [ANN, BOB]) == {ANN: SuppressionReason.BOUNCED}
        assert await suppressed(ctx, tx, []) == {}
