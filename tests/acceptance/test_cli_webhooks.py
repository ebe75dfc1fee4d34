"""Webhooks by command: who is told, whether they can be, and what became of what they were to be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Said, dispatcher, newsroom
from hook_server import HookServer

ANN = "ann@reader.example"
SECRET = "a secret of at least 24 letters"


@pytest.fixture
async def hooks() -> AsyncIterator[HookServer]:
    """A program that is told things."""
    async with HookServer() as running:
        yield running


@pytest.fixture
def room(tmp_path: Path, hooks: HookServer) -> Path:
    """A newsroom whose shop is told everything."""
    section = f'name = "shop"\nurl = "{hooks.url("/shop")}"\nsecret = "{SECRET}"\nallow_private = true\n'
    newsroom(tmp_path, more=f"[[webhooks]]\n{section}")
    return tmp_path


async def do(folder: Path, *arguments: str) -> Said:
    """Run a command beside the server."""
    return await asyncio.to_thread(dispatcher, folder, *arguments)


async def in_json(folder: Path, *arguments: str) -> Any:
    said = await do(folder, *arguments, "--json")
    assert said.code == 0, said
    return json.loads(said.out)


async def test_a_webhook_is_tried_out_and_its_answer_shown(room: Path, hooks: HookServer) -> None:
    said = await do(room, "webhooks", "test", "shop")
    assert (said.code, said.out.startswith("shop took it\n"), "accepted" in said.out) == (0, True, True)
    hooks.script["/shop"] = [503]
    said = await do(room, "webhooks", "test", "shop")
    assert (said.code, "503 Service Unavailable" in said.out) == (1, True)
    said = await do(room, "webhooks", "test", "mill")
    assert (said.code, 'no webhook "mill"; there are shop' in said.err) == (2, True)
    assert [told.event["type"] for told in hooks.told] == ["ping", "ping"]
    assert SECRET not in said.out + said.err + (await do(room, "--debug", "webhooks", "--json")).out


async def test_who_is_added_and_removed_by_command_is_told_with_the_next_send(room: Path, hooks: HookServer) -> None:
    await do(room, "subscribers", "add", "kim@reader.example", "--name", "Kim")
    await do(room, "subscribers", "set", "kim@reader.example", "--name", "Kimberly")
    await do(room, "subscribers", "remove", "kim@reader.example", "--yes")
    assert (await in_json(room, "webhooks"))[0]["deliveries"] == {"queued": 2}
    assert (await in_json(room, "status"))["deliveries"]["queued"] == 0, "that counts mail"
    assert (await in_json(room, "send"))["webhooks_sent"] == 2
    told = sorted(hooks.told, key=lambda one: str(one.event["timestamp"]))
    assert [(one.event["type"], one.event["data"]["subscriber"]["status"]) for one in told] == [
        ("subscribed", "active"), ("unsubscribed", "unsubscribed"),
    ]  # fmt: skip
    assert told[1].event["data"]["subscriber"]["name"] == "Kimberly"
    await do(room, "subscribers", "remove", "kim@reader.example", "--erase", "--yes")
    await do(room, "run", "--once")
    about = hooks.told[-1].event["data"]
    assert (hooks.told[-1].event["type"], set(about)) == ("unsubscribed", {"newsletter", "subscriber_id", "erased"})
    assert "kim@" not in (await do(room, "deliveries", "--json")).out


async def test_what_a_webhook_did_not_take_is_listed_retried_and_cancelled(room: Path, hooks: HookServer) -> None:
    hooks.script["/shop"] = [422, 503]
    for _ in range(2):
        await do(room, "subscribers", "remove", ANN, "--yes")
        await do(room, "subscribers", "add", ANN, "--consent", "asked by telephone")
    assert (await in_json(room, "send"))["webhooks_failed"] == 1
    shown = (await do(room, "deliveries")).out
    assert ("webhook subscribed" in shown or "webhook unsubscribed" in shown, "shop" in shown) == (True, True)
    [failed] = await in_json(room, "deliveries", "--status", "failed")
    assert "422" in (await do(room, "deliveries", "show", str(failed["id"]))).out
    assert (await do(room, "deliveries", "retry", str(failed["id"]), "--yes")).code == 0
    assert (await do(room, "deliveries", "cancel", str(failed["id"]))).code == 2, "nobody is here to answer"
    assert "1 of 1 withdrawn" in (await do(room, "deliveries", "cancel", str(failed["id"]), "--yes")).out
    said = await do(room, "deliveries", "cancel", str(failed["id"]), "--yes")
    assert (said.code, "only what is queued" in said.err) == (1, True)
