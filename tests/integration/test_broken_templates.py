"""Broken templates: each has one clear message, ours takes its place, and the owner is told once, and once when mended.

`tests/corpus/templates` has a folder for each mistake: the operator's files, and the message. FOLDER and OURS stand for
where the operator's templates and ours are, `*` for anything.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders import atom, folder_source, settings, subscriber, texts, topic, world

from dispatcher import clock
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.digest.collection import Collection
from dispatcher.digest.rehearsal import first_fault
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.understudy import sound
from dispatcher.model.outbound import Digest
from dispatcher.pipeline import standins
from dispatcher.pipeline.context import Context, open_templates
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store.engine import many

CORPUS = Path(__file__).parents[1] / "corpus" / "templates"
SLOT = datetime.fromisoformat("2026-03-02T07:31+00:00")
OWNER = "owner@lantern.example"
BROKEN = "{% for story in stories %}{{ story.authors[0] }} wrote {{ story.title }}\n{% endfor %}"


@pytest.mark.parametrize("case", sorted(path.name for path in CORPUS.iterdir()))
def test_a_mistake_has_one_clear_message_and_ours_takes_its_place(case: str) -> None:
    folder = CORPUS / case
    found = sound(Templates(collection=Collection.read(folder, builtin_folder())), first_fault)
    (fault,) = found.collection.faults
    expected = (folder / "message.txt").read_text().strip()
    pattern = re.escape(expected).replace("FOLDER", re.escape(str(folder))).replace(r"\*", ".*")
    assert re.fullmatch(pattern.replace("OURS", re.escape(str(builtin_folder()))), fault.reason), fault.reason
    assert found.version == Templates([builtin_folder()]).version


def test_one_of_two_is_left_out_and_the_other_one_stays(tmp_path: Path) -> None:
    write(tmp_path, "email/digest.txt.j2", "{{ storys }}")
    write(tmp_path, "email/digest.subject.j2", "News!")
    found = sound(Templates(collection=Collection.read(tmp_path, builtin_folder())), first_fault)
    assert [fault.name for fault in found.collection.faults] == ["email/digest.txt.j2"]
    assert list(found.collection.theirs) == ["email/digest.subject.j2"]


def write(folder: Path, name: str, text: str) -> None:
    """A template of the operator's."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
async def ctx(tmp_path: Path, furnished_url: str) -> AsyncIterator[Context]:
    """A newsletter with one story and one reader; nothing is planned."""
    atom(tmp_path / "feed.xml", ("one", "Badger seen in market square", SLOT - timedelta(hours=9)))
    chosen = settings(
        tmp_path,
        furnished_url,
        sources=[folder_source("Gazette", tmp_path / "feed.xml")],
        topics=[topic("all", "*")],
        subscribers=[subscriber("ann@reader.example", "all")],
        alerts={"to": OWNER},
    )
    async with world(chosen, SLOT - timedelta(hours=1), transport=MemoryTransport()) as opened:
        yield opened


async def deliver(ctx: Context) -> tuple[list[str], list[str]]:
    """Plan and send what is due: the reader's mails so far, and the first words of the owner's."""
    await ingest(ctx, SLOT - timedelta(minutes=30), everything=True)
    await plan(ctx, SLOT)
    await send(ctx, SLOT)
    assert isinstance(ctx.transport, MemoryTransport)
    told = texts(ctx.transport, OWNER)
    return texts(ctx.transport, "ann@reader.example"), [text.partition("\n")[0] for text in told]


async def reread(ctx: Context) -> None:
    """What the daemon does when it starts or is told to read its configuration again."""
    await ctx.apply(ctx.settings)
    await standins.inspect(ctx, SLOT)


async def test_what_breaks_when_it_is_read_is_told_once_and_when_it_is_mended_once(ctx: Context) -> None:
    folder = ctx.settings.resolve("templates")
    write(folder, "email/digest.txt.j2", "{{ storys }}")
    await reread(ctx)
    await reread(ctx)
    mails, told = await deliver(ctx)
    assert len(mails) == 1
    assert "Badger seen in market square" in mails[0]
    assert len(told) == 1
    write(folder, "email/digest.txt.j2", "{{ stories|length }} story")
    await reread(ctx)
    await reread(ctx)
    assert not ctx.templates.collection.faults
    await send(ctx, SLOT)
    assert isinstance(ctx.transport, MemoryTransport)
    owner = texts(ctx.transport, OWNER)
    assert ["cannot be used: email/digest.txt.j2" in owner[0], "in use again: email/digest.txt.j2" in owner[1]] == [
        True, True,
    ]  # fmt: skip
    assert "'storys' is not defined; did you mean 'stories'?" in " ".join(owner[0].split())
    assert len(owner) == 2


async def test_what_breaks_on_real_news_only_stops_no_mail_and_stays_out_until_something_is_changed(
    ctx: Context,
) -> None:
    folder = ctx.settings.resolve("templates")
    write(folder, "email/digest.txt.j2", BROKEN)
    write(folder, "email/digest.subject.j2", "Hello")
    ctx.templates = open_templates(ctx.settings)  # as in a process that does not rehearse
    mails, _ = await deliver(ctx)
    assert len(mails) == 1
    assert "Badger seen in market square" in mails[0]
    assert "wrote" not in mails[0]
    assert [fault.name for fault in ctx.templates.collection.faults] == ["email/digest.txt.j2"]
    await reread(ctx)
    assert [fault.name for fault in ctx.templates.collection.faults] == ["email/digest.txt.j2"]
    async with ctx.store.read() as tx:
        kept = [digest.wire for digest in await many(tx, Digest) if not digest.letter]
    write(folder, "email/digest.txt.j2", BROKEN.replace("authors[0]", "title"))
    await reread(ctx)
    assert not ctx.templates.collection.faults
    for moment in (SLOT, clock.now()):  # what was found while composing was told at once
        await send(ctx, moment)
    assert isinstance(ctx.transport, MemoryTransport)
    assert len(texts(ctx.transport, OWNER)) == 2
    async with ctx.store.read() as tx:
        assert [digest.wire for digest in await many(tx, Digest) if not digest.letter] == kept
