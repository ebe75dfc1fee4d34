"""`tokens`, and what other commands make of a source that programs publish to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from builders import raw
from command_line import dispatcher, newsroom

from dispatcher import clock
from dispatcher.pipeline.context import load_settings, open_context
from dispatcher.pipeline.publishing import prepare, publish


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return newsroom(tmp_path)


def test_a_token_is_made_shown_once_listed_and_revoked(room: Path) -> None:
    made = dispatcher(
        room, "tokens", "add", "shop", "--scope", "topics:read", "--scope", "articles:write", "--expires", "90d"
    )
    assert made.code == 0
    token = made.out.strip()
    assert token.startswith("dsp_")
    assert "cannot be shown again" in made.err
    (listed,) = dispatcher(room, "tokens", "--json").json
    assert (listed["name"], listed["status"], listed["used_at"]) == ("shop", "open", None)
    assert listed["scopes"] == ["articles:write", "topics:read"]
    shown = dispatcher(room, "tokens", "list")
    assert "articles:write, topics:read" in shown.out
    assert token not in shown.out + str(listed)
    assert token.encode() not in (room / "subscribers.db").read_bytes()
    assert dispatcher(room, "tokens", "revoke", "shop").code == 2, "nobody is there to answer"
    assert dispatcher(room, "tokens", "revoke", "shop", "--yes").code == 0
    assert dispatcher(room, "tokens", "list", "--json").json[0]["status"] == "revoked"
    again = dispatcher(room, "tokens", "revoke", "shop", "--yes")
    assert (again.code, again.err) == (1, "Error: the token 'shop' was revoked already\n")


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("add", "shop"), 1, "a token needs a scope"),
        (("add", "shop", "--scope", "article:write"), 1, 'did you mean "articles:write"?'),
        (("add", "My Shop", "--scope", "*"), 1, 'did you mean "my-shop"?'),
        (("add", "shop", "--scope", "*", "--expires", "soon"), 2, "is not a duration"),
        (("add", "shop", "--scope", "*", "--expires", "0s"), 2, "never open anything"),
        (("revoke", "shop", "--yes"), 1, "there is no token 'shop'"),
    ],
)
def test_what_makes_no_sense_is_said(room: Path, arguments: tuple[str, ...], code: int, hint: str) -> None:
    said = dispatcher(room, "tokens", *arguments)
    assert said.code == code
    assert hint in said.err
    assert "Traceback" not in said.err
    assert dispatcher(room, "tokens", "--json").json == []


def test_nobody_has_a_token_at_first(room: Path) -> None:
    assert "none yet" in dispatcher(room, "tokens").out


def test_a_source_that_is_published_to_is_closed_and_opened_like_any_other(room: Path) -> None:
    settings = load_settings(room / "config" / "dispatcher.toml")

    async def bring() -> None:
        now = clock.now()
        async with open_context(settings, now=now) as ctx:
            submission = await prepare(ctx, "Wire", raw("1"), now)
            async with ctx.store.write() as tx:
                await publish(ctx, tx, submission, now)

    asyncio.run(bring())
    assert dispatcher(room, "ingest", "--all", "--json").json["polled"] == 1, "the folder, and nothing else"
    assert "Wire" in dispatcher(room, "sources").out
    checked = dispatcher(room, "sources", "check", "api:")
    assert checked.code == 1
    assert "cannot be read" in checked.err
    removed = dispatcher(room, "sources", "remove", "Wire", "--yes")
    assert "its articles stay" in removed.out
    with pytest.raises(Exception, match="is paused"):
        asyncio.run(bring())
    assert dispatcher(room, "sources", "add", "api:", "--name", "Wire").code == 0
    asyncio.run(bring())
