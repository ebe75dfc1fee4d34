"""Signed mail on its way: verified on what a real server received, by keys from files, over retries and new keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dkim
import pytest
from mailing import Mailing, after, relay
from raw_smtp import CHUNKING, OFFERS, RawServer
from smtp_server import SmtpServer, in_turn

from dispatcher.delivery.signing_key import SigningKey, make_ed25519, make_rsa, pem_of
from dispatcher.digest.assembly import assemble
from dispatcher.errors import ConfigError
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import LetterName
from dispatcher.pipeline import letters, wires
from dispatcher.pipeline.send import send
from dispatcher.pipeline.signing import signed
from dispatcher.store.engine import many

DOMAIN = "gazette.example"


@cache
def keys() -> Mapping[str, SigningKey]:
    """Two pairs, an old one and a new one."""
    made = (make_rsa(DOMAIN, "r1"), make_ed25519(DOMAIN, "e1"), make_rsa(DOMAIN, "r2"), make_ed25519(DOMAIN, "e2"))
    return {key.selector: key for key in made}


def signing(folder: Path, *selectors: str, kept: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings that sign with these keys, from files."""
    for selector in (*selectors, *kept):
        (folder / f"{selector}.pem").write_bytes(pem_of(keys()[selector]))
        (folder / f"{selector}.pem").chmod(0o600)
    named = [{"selector": s, "key_file": f"{s}.pem", "active": s not in kept} for s in (*kept, *selectors)]
    return {"dkim": named}


def dns(name: bytes, timeout: int = 5) -> bytes:
    """The records, were they published."""
    selector = name.decode().partition(".")[0]
    return keys()[selector].record.encode() if selector in keys() else b""


def verified(message: bytes) -> list[str]:
    """The selectors of the signatures, all of which verify."""
    named = [re.search(rb" s=([^;]+);", field) for field in message.split(b"DKIM-Signature:")[1:]]
    found = dkim.DKIM(message)
    assert all(found.verify(idx=number, dnsfunc=dns) for number in range(len(named)))
    return sorted(match[1].decode() for match in named if match)


@pytest.fixture(autouse=True)
def _the_verifier_lives_in_the_time_of_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dkim, "time", SimpleNamespace(time=lambda: after(days=2).timestamp()))


@pytest.fixture
def mailing(tmp_path: Path) -> Mailing:
    return Mailing(tmp_path, f"sqlite:///{tmp_path}/subscribers.db", sections=signing(tmp_path, "r1", "e1"))


async def test_d1_what_a_real_server_received_verifies_by_both_keys(mailing: Mailing) -> None:
    async with SmtpServer() as server, mailing.open(relay(server)) as ctx:
        assert (await send(ctx, after())).sent == 6
        assert [verified(message.data) for message in server.messages] == [["e1", "r1"]] * 6


@pytest.mark.parametrize("offers", [OFFERS, CHUNKING])
async def test_so_does_what_came_in_pipes_and_chunks(mailing: Mailing, offers: tuple[str, ...]) -> None:
    async with RawServer(offers=offers) as server, mailing.open(relay(server)) as ctx:  # type: ignore[arg-type]
        assert (await send(ctx, after())).sent == 6
        assert [verified(message.data) for message in server.messages] == [["e1", "r1"]] * 6
        assert not server.faults


async def test_a_letter_to_one_person_is_signed_too(mailing: Mailing) -> None:
    async with SmtpServer() as server, mailing.open(relay(server)) as ctx:
        async with ctx.store.write() as tx:
            await letters.post(ctx, tx, LetterName.CONFIRM, to="zoe@reader.example", key="confirm:1", now=after())
        await send(ctx, after())
        (letter,) = server.to("zoe@reader.example")
        assert verified(letter.data) == ["e1", "r1"]


async def test_a_retry_is_byte_identical_though_the_key_was_changed_and_new_mail_has_the_new_one(
    mailing: Mailing, tmp_path: Path
) -> None:
    mailing.readers = ("ann",)
    script = in_turn("CONTENT", "451 4.3.0 later")
    seen: list[bytes] = []
    async with SmtpServer(script=script) as server:
        async with mailing.open(relay(server)) as ctx:
            assert (await send(ctx, after())).deferred == 1
        async with mailing.open(relay(server), after(minutes=1)) as ctx, ctx.store.read() as tx:
            seen.append(await _assembled(ctx, tx))
        mailing.sections = signing(tmp_path, "r2", "e2", kept=("r1", "e1"))
        async with mailing.open(relay(server), after(hours=2)) as ctx:
            assert (await send(ctx, after(hours=2))).sent == 1
            mailing.stories.insert(0, ("two", "Otter seen in fountain", after(hours=20)))
        async with mailing.open(relay(server), after(hours=24)) as ctx:
            assert (await send(ctx, after(hours=24))).sent == 1
    old, new = server.messages
    assert old.data == seen[0]
    assert verified(old.data) == ["e1", "r1"]
    assert verified(new.data) == ["e2", "r2"]


async def _assembled(ctx: Any, tx: Any) -> bytes:
    """The message that waits, as it would leave now."""

    (delivery,) = await many(tx, Delivery)
    wire = (await wires.load(ctx, [delivery.digest_id or 0]))[delivery.digest_id or 0]
    assert not isinstance(wire, Exception)
    message = assemble(wire, wires.envelope_of(delivery, wire, ctx.keyring))
    return signed(ctx.signer, delivery, message, ctx.addresses(None).domain, by=wire.door.signed_by)


async def test_once_the_old_key_is_gone_from_config_what_waits_is_signed_by_the_new_one(
    mailing: Mailing, tmp_path: Path
) -> None:
    mailing.readers = ("ann",)
    async with SmtpServer(script=in_turn("CONTENT", "451 4.3.0 later")) as server:
        async with mailing.open(relay(server)) as ctx:
            assert (await send(ctx, after())).deferred == 1
        mailing.sections = signing(tmp_path, "r2", "e2")
        async with mailing.open(relay(server), after(hours=2)) as ctx:
            assert (await send(ctx, after(hours=2))).sent == 1
    assert verified(server.messages[0].data) == ["e2", "r2"]


async def test_new_settings_with_a_broken_key_are_refused_and_the_old_ones_stay(
    mailing: Mailing, tmp_path: Path
) -> None:
    async with SmtpServer() as server, mailing.open(relay(server)) as ctx:
        before = ctx.signer
        broken = [{"selector": "r9", "key_file": "none.pem"}]
        fresh = ctx.settings.model_validate(ctx.settings.model_dump(by_alias=True) | {"dkim": broken})
        with pytest.raises(ConfigError, match="there is no such file"):
            await ctx.apply(fresh)
        assert ctx.signer is before
        assert (await send(ctx, after())).sent == 6
        assert verified(server.messages[0].data) == ["e1", "r1"]
