"""Whole articles in digests, and a theme that changes: from the configuration to the mail, on both databases."""

from __future__ import annotations

import email
import email.policy
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders import folder_source, settings, subscriber, texts, topic, world

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.pipeline.once import once

MONDAY = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
ANN, BEN = "ann@reader.example", "ben@reader.example"
NOTE = """---
title: "{name}: the boats run"
link: https://gazette.example/{name}
date: {date}
summary: Two years late.
---
The first boat left at {at}.

## What it costs

{words} <script>alert(1)</script>
"""


def write(folder: Path, name: str, published: datetime) -> None:
    """An article in the folder that is read."""
    (folder / "articles").mkdir(exist_ok=True)
    words = " ".join(f"{name} number {number}," for number in range(40))
    text = NOTE.format(date=published.isoformat(), name=name, at=published.hour, words=words)
    path = folder / "articles" / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    os.utime(path, (0, published.timestamp()))  # what was written a moment ago may not be finished, and is left alone


def html(transport: MemoryTransport, recipient: str) -> str:
    """The HTML of the last mail to a reader."""
    (*_, last) = [one.data for one in transport.messages if one.recipient == recipient]
    body = email.message_from_bytes(last, policy=email.policy.default).get_body(("html",))
    assert body is not None
    return str(body.get_content())


async def morning(folder: Path, url: str, transport: MemoryTransport, now: datetime, **sections: Any) -> None:
    """A pass at seven and one when digests are due, with these sections of the configuration."""
    chosen = settings(
        folder,
        url,
        sources=[folder_source("Gazette", folder / "articles")],
        topics=[topic("all", "*"), topic("boats", "ferry", digest={"layout": "full"})],
        subscribers=[subscriber(ANN, "all"), subscriber(BEN, "boats")],
        **sections,
    )
    for moment in (now - timedelta(minutes=30), now):
        async with world(chosen, moment, transport=transport) as ctx:
            await once(ctx, moment)


async def test_a_digest_has_whole_articles_where_config_says_so(tmp_path: Path, database_url: str) -> None:
    transport = MemoryTransport()
    write(tmp_path, "ferry", MONDAY - timedelta(hours=2))
    await morning(tmp_path, database_url, transport, MONDAY)
    assert "The first boat left at 5." not in html(transport, ANN)
    assert "The first boat left at 5." in html(transport, BEN)
    assert "The first boat left at 5.\n\nWhat it costs\n\nferry number 0," in texts(transport, BEN)[0].replace("\r", "")
    write(tmp_path, "again", MONDAY + timedelta(hours=2))
    await morning(tmp_path, database_url, transport, MONDAY + timedelta(days=1), digest={"layout": "full"})
    assert "The first boat left at 9." in html(transport, ANN)
    assert "<script" not in html(transport, ANN)


async def test_a_theme_shows_in_the_next_mail(tmp_path: Path, database_url: str) -> None:
    transport = MemoryTransport()
    write(tmp_path, "ferry", MONDAY - timedelta(hours=2))
    await morning(tmp_path, database_url, transport, MONDAY)
    assert "#a3271b" in html(transport, ANN)
    write(tmp_path, "again", MONDAY + timedelta(hours=2))
    await morning(tmp_path, database_url, transport, MONDAY + timedelta(days=1), theme={"accent": "#0b57d0"})
    assert "#0b57d0" in html(transport, ANN)
    assert "#a3271b" not in html(transport, ANN)
