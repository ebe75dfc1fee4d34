"""`[[smtp]]` as it is written becomes relays that are used so, and changes while the program runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest
from pydantic import ValidationError
from raw_smtp import RawServer

from dispatcher.config.sending import RelaySettings
from dispatcher.delivery.relays import Relays
from dispatcher.model.values import OutcomeKind
from dispatcher.pipeline.context import open_context

FROM = "news@gazette.example"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"


def _entry(server: RawServer, name: str, **known: Any) -> dict[str, Any]:
    return {"name": name, "host": server.host, "port": server.port, **known}


async def _send(transport: Any, *recipients: str) -> set[OutcomeKind]:
    return {(await transport.send(FROM, recipient, MESSAGE)).kind for recipient in recipients}


async def test_relays_are_used_as_they_are_configured_and_follow_when_that_changes(
    tmp_path: Path, furnished: Any
) -> None:
    url = furnished("sqlite", tmp_path)
    async with RawServer() as west, RawServer() as east, RawServer() as south:
        entries = [
            _entry(west, "west", max_connections=2, messages_per_connection=2),
            _entry(east, "east", only_to=["*.Pier.example"]),
            _entry(south, "south", priority=2),
        ]
        async with open_context(builders.settings(tmp_path, url, smtp=entries)) as ctx:
            transport = ctx.transport
            assert isinstance(transport, Relays)
            to_pier = "bob@old.pier.example"
            assert await _send(transport, "ann@quay.example", "bob@quay.example", "cleo@quay.example", to_pier) == {
                OutcomeKind.ACCEPTED
            }
            assert (len(west.messages), west.connections, east.recipients()) == (3, 2, [to_pier])
            assert transport.max_connections == 2 + 8

            changed = [_entry(south, "south"), _entry(east, "east", priority=2)]
            await ctx.apply(builders.settings(tmp_path, url, smtp=changed))
            assert ctx.transport is transport
            assert [health.relay for health in transport.health()] == ["south", "east"]
            assert await _send(transport, to_pier) == {OutcomeKind.ACCEPTED}
            assert south.recipients() == [to_pier]
            await west.wait_until(lambda: not west.open_connections)
            assert east.open_connections == 1


async def test_settings_that_could_not_work_change_nothing(tmp_path: Path, furnished: Any) -> None:
    url = furnished("sqlite", tmp_path)
    async with RawServer() as west, open_context(builders.settings(tmp_path, url, smtp=[_entry(west, "west")])) as ctx:
        wrong = builders.settings(tmp_path, url, smtp=[_entry(west, "east", username="ann")])
        with pytest.raises(Exception, match="username and password together"):
            await ctx.apply(wrong)
        assert await _send(ctx.transport, "ann@quay.example") == {OutcomeKind.ACCEPTED}
        assert ctx.transport.route(FROM, "ann@quay.example") == "west"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" Quay.Example ", "quay.example"),
        ("*.Quay.Example", "*.quay.example"),
        ("häfen.example", "xn--hfen-loa.example"),
        ("*.häfen.example", "*.xn--hfen-loa.example"),
    ],
)
def test_domains_are_kept_as_recipients_are_compared_with_them(written: str, kept: str) -> None:
    entry = RelaySettings.model_validate({"only_to": [written], "only_from": [written, f"News@{written.strip('* .')}"]})
    assert entry.only_to == (kept,)
    assert entry.only_from == (kept, f"news@{kept.removeprefix('*.')}")


@pytest.mark.parametrize("written", ["", "*", "*.", "quay example", "ann@quay.example", "*quay.example", ".example"])
def test_what_is_no_domain_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="is not a domain"):
        RelaySettings.model_validate({"only_to": [written]})
