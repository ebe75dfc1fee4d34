"""The preferences form, read: what is sent back as it was shown wishes for what is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.model.audience import Endpoint, Subscriber, Subscription
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus
from dispatcher.pipeline.preferences import Line, Own, Sheet
from dispatcher.web.readers.wishes import Typed, read, typed_from

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def topic(number: int, query: str = "*", **changes: Any) -> Topic:
    return Topic(id=number, slug=f"t{number}", name=f"Topic {number}", query_id=1, query_text=query, origin=Origin.CLI,
                 created_at=NOW, **changes)  # fmt: skip


def follow(number: int, cadence: str) -> Subscription:
    return Subscription(id=number, subscriber_id=1, topic_id=number, cadence=cadence, origin=Origin.CLI, created_at=NOW)


def sheet(**changes: Any) -> Sheet:
    known = {
        "email": "ann@reader.example",
        "name": "Ann",
        "timezone": "Europe/London",
        "cadence": "cron 0 8 * * mon-fri",
    }
    reader = Subscriber(id=1, origin=Origin.CLI, created_at=NOW, **known | changes)
    source = Source(id=7, name="Gazette", url="x", origin=Origin.CLI, next_poll_at=NOW, created_at=NOW)
    return Sheet(
        reader=reader,
        endpoint=Endpoint(id=1, subscriber_id=1, address="ann@reader.example", address_hash="h", created_at=NOW),
        offered=[
            Line(topic(1), follow(1, reader.cadence)),
            Line(topic(2), follow(2, "weekly on mon,thu at 08:00")),
            Line(topic(3)),
        ],
        own=[Line(topic(4, "otter", owner_id=1), follow(4, "instant"))],
        sources=[Line(topic(5, 'source:"Gazette"', owner_id=1), follow(5, reader.cadence), source)],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"quiet_from": "22:00", "quiet_until": "07:00", "allowed_days": "mon,tue", "layout": "list", "locale": "gd"},
        {
            "status": SubscriberStatus.PAUSED,
            "paused_by": PausedBy.READER,
            "paused_until": datetime(2026, 4, 1, tzinfo=UTC),
        },
        {"status": SubscriberStatus.PAUSED, "paused_by": PausedBy.READER},
        {"timezone": "Asia/Calcutta", "cadence": "monthly on 7,21 at 05:05"},
    ],
)
def test_what_is_sent_back_as_it_was_shown_wishes_for_what_is(changes: dict[str, Any]) -> None:
    shown = sheet(**changes)
    wishes, faults = read(typed_from(shown), shown, NOW, locales=["en"], own_topics=1)
    assert faults == {}
    assert wishes.fields == {name: getattr(shown.reader, name) for name in wishes.fields}
    assert wishes.offered == {1: shown.reader.cadence, 2: "weekly on mon,thu at 08:00"}
    assert wishes.own == [Own(4, "Topic 4", "otter", "instant")]
    assert wishes.sources == {7}
    assert wishes.is_paused == (shown.reader.status == SubscriberStatus.PAUSED)


def test_an_empty_form_is_found_fault_with_and_follows_nothing() -> None:
    wishes, faults = read(Typed({}), sheet(), NOW, locales=["en"], own_topics=1)
    assert set(faults) == {"lang", "zone", "often", "day"}
    assert (wishes.offered, wishes.sources) == ({}, frozenset())
    assert wishes.own == [Own(4, "Topic 4", "otter", "instant")], "what the form did not show stays"
