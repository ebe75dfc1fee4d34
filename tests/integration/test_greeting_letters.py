"""Letters to who comes and who leaves, on both engines: who gets one, once, and who never does."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from leaving import ANN, HTML, URL, Room, open_room

from dispatcher import clock
from dispatcher.config.letters import LettersSettings
from dispatcher.model.consent import OptIn
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus, SuppressionReason
from dispatcher.pipeline import confirmation, enrolment, optin
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.departure import NOBODY
from dispatcher.pipeline.send import send
from dispatcher.store import subscribers, suppressions
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

EVE = "eve@reader.example"
CHOICES = Choices(EVE, name="Eve", topics=("badgers",), cadence="daily at 07:30", timezone="Asia/Tokyo", locale="en")


@pytest.fixture
async def room(furnished_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    """The pages, on each engine, with both letters switched on."""
    async with open_room(tmp_path, furnished_url, clock.now()) as opened:
        choose(opened, goodbye=True)
        yield opened


def choose(room: Room, **letters: bool) -> None:
    """Other settings of letters."""
    room.ctx.settings = room.ctx.settings.model_copy(update={"letters": LettersSettings(**letters)})


async def confirmed(room: Room, choices: Choices = CHOICES, *, times: int = 1) -> None:
    """Somebody asks for something and presses the button, perhaps more than once."""
    now = clock.now()
    await optin.request(room.ctx, choices, NOBODY, now)
    opt_in = (await room.rows(OptIn))[-1]
    token = room.ctx.keyring.sign(Purpose.CONFIRM, opt_in.id or 0, expires_at=now + timedelta(days=7))
    for _ in range(times):
        await confirmation.confirm(room.ctx, token, NOBODY, now)


async def sent(room: Room, word: str) -> list[EmailMessage]:
    """Send everything, and find the mails with a word in their subject."""
    await send(room.ctx, clock.now())
    mails = [email.message_from_bytes(kept.data, policy=email.policy.default) for kept in room.transport.messages]
    return [mail for mail in mails if word in str(mail["Subject"])]


async def status_of(room: Room, letter: str) -> list[DeliveryStatus]:
    """What became of letters of this kind."""
    return [row.status for row in await room.rows(Delivery) if f":{letter}:" in row.key]


async def next_due_at(room: Room) -> datetime:
    """When the newcomer's first digest is due."""
    reader = await room.reader(EVE)
    async with room.ctx.store.read() as tx:
        (row,) = (await subscribers.schedules(tx, [reader.id or 0]))[reader.id or 0]
    assert row.next_due_at is not None
    return row.next_due_at


def text_of(mail: EmailMessage) -> str:
    """Its plain text, each run of blanks as one."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


async def test_who_confirms_is_told_once_what_comes_when_and_how_to_change_or_end_it(room: Room) -> None:
    await confirmed(room, times=2)
    (mail,) = await sent(room, "Welcome")
    text = text_of(mail)
    assert "Hello Eve" in text
    assert "- Badgers" in text
    assert "every day at 7:30" in text
    tokyo = (await next_due_at(room)).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{tokyo:%A, %B} {tokyo.day}, {tokyo.year}, 7:30" in text
    assert f"{URL}/p/" in text
    assert str(mail["List-Unsubscribe"]).startswith(f"<{URL}/u/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Id"]
    assert len(await sent(room, "Welcome")) == 1


async def test_who_was_a_reader_before_or_came_by_config_gets_no_welcome(room: Room) -> None:
    await confirmed(room, Choices(ANN, topics=("badgers",), timezone="UTC", locale="en"))
    assert await status_of(room, "welcome") == []


async def test_without_the_setting_there_is_no_welcome(room: Room) -> None:
    choose(room, welcome=False)
    await confirmed(room)
    assert await status_of(room, "welcome") == []


async def test_who_leaves_before_the_welcome_has_left_gets_none(room: Room) -> None:
    await confirmed(room)
    await room.client.post(await room.leave_path(EVE))
    assert await sent(room, "Welcome") == []
    assert await status_of(room, "welcome") == [DeliveryStatus.SUPPRESSED]


async def test_the_button_of_our_page_brings_a_letter_that_belongs_to_no_list(room: Room) -> None:
    path = await room.leave_path()
    page = await room.client.get(path, headers=HTML)
    assert f'action="{path}?page"' in page.text
    await room.client.post(f"{path}?page", headers=HTML)
    await room.client.post(f"{path}?page", headers=HTML)
    (mail,) = await sent(room, "unsubscribed")
    assert mail["To"].addresses[0].addr_spec == ANN
    assert [name for name in mail if name.startswith("List-")] == []
    assert f"{URL}/subscribe" in text_of(mail)
    assert f"{URL}/u/" not in mail.as_string()


@pytest.mark.parametrize("how", ["one click", "off", "erased", "bounced"])
async def test_nobody_else_who_leaves_gets_a_letter(room: Room, how: str) -> None:
    if how == "off":
        choose(room)
    path, reader = await room.leave_path(), await room.reader()
    await room.client.post(path if how == "one click" else f"{path}?page", headers=HTML)
    async with room.ctx.store.write() as tx:
        if how == "erased":
            await enrolment.erase(tx, room.ctx.address_key, reader, clock.now())
        elif how == "bounced":
            hashed = address_hash(room.ctx.address_key, ANN)
            await suppressions.add(tx, hashed, SuppressionReason.BOUNCED, clock.now())
    assert await sent(room, "unsubscribed") == []


async def test_a_departure_that_is_taken_back_at_once_brings_none(room: Room) -> None:
    left = await room.client.post(f"{await room.leave_path()}?page", headers=HTML)
    undo = left.text.partition('action="/r/')[2].partition('"')[0]
    await room.client.post(f"/r/{undo}", headers=HTML)
    assert await sent(room, "unsubscribed") == []
    assert await status_of(room, "goodbye") == [DeliveryStatus.CANCELLED]
