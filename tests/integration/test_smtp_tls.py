"""TLS and passwords: verified where it matters, refused where it fails, and no password ever in clear."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme
from smtp_server import Act, SmtpServer, Then, always

from dispatcher.delivery.smtp import Relay, Security, SmtpTransport
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"
LOGIN = {"username": "news", "password": "gr\u00fcn & secret"}

CA, STRANGER = trustme.CA(), trustme.CA()


def _server_side(name: str = "127.0.0.1", ca: trustme.CA = CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return context


def _self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with STRANGER.cert_pem.tempfile() as certificate, STRANGER.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def _client_side() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


async def _send(server: SmtpServer, security: str, **settings: Any) -> Outcome:
    settings = {"tls_context": _client_side(), "helo": "client.test", "timeout": 5.0, **settings}
    transport = SmtpTransport(Relay(server.host, server.port, security=Security(security), **settings))
    try:
        return await transport.send(FROM, TO, MESSAGE)
    finally:
        await transport.close()


def _verbs(server: SmtpServer) -> list[str]:
    return [line.split()[0] for _, line in server.commands]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_verifies_secures_the_message(security: str) -> None:
    async with SmtpServer(tls=_server_side(), implicit_tls=security == "tls") as server:
        assert (await _send(server, security)).kind is OutcomeKind.ACCEPTED
        assert server.messages[0].tls


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("context", "why"),
    [
        (_server_side("mail.example"), "IP address mismatch"),
        (_server_side(ca=STRANGER), "unable to get local issuer certificate"),
        (_self_signed(), "self-signed certificate"),
    ],
    ids=["another host's", "a stranger's", "its own"],
)
async def test_a_certificate_that_does_not_verify_is_refused(security: str, context: ssl.SSLContext, why: str) -> None:
    async with SmtpServer(tls=context, implicit_tls=security == "tls") as server:
        outcome = await _send(server, security)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert "the certificate is not trusted" in outcome.text
        assert why in outcome.text
        assert "MAIL" not in _verbs(server)


async def test_required_starttls_that_is_not_offered_is_refused() -> None:
    async with SmtpServer() as server:
        outcome = await _send(server, "starttls")
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert "no STARTTLS" in outcome.text
        assert "MAIL" not in _verbs(server)


@pytest.mark.parametrize(
    "answer",
    ["454 4.7.0 not now", "502 no", "421 closing", "250 2.0.0 taken", "334 go on", Act.DISCONNECT, Act.GARBAGE,
     Then("220 go", Act.GARBAGE), Then("220 go", Act.DISCONNECT)],
    ids=str,
)  # fmt: skip
async def test_required_starttls_that_fails_is_never_replaced_by_clear_text(answer: Any) -> None:
    async with SmtpServer(tls=_server_side(), script=always("STARTTLS", answer)) as server:
        outcome = await _send(server, "starttls")
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert "MAIL" not in _verbs(server)


async def test_a_handshake_that_never_ends_is_given_up() -> None:
    async with SmtpServer(tls=_server_side(), script=always("STARTTLS", Then("220 go", Act.SILENCE))) as server:
        outcome = await _send(server, "starttls", timeout=0.3)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)


async def test_implicit_tls_against_a_server_in_clear_is_refused() -> None:
    async with SmtpServer() as server:
        outcome = await _send(server, "tls", timeout=1.0)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)


async def test_a_server_in_tls_from_the_start_does_not_hang_a_client_in_clear() -> None:
    async with SmtpServer(tls=_server_side(), implicit_tls=True) as server:
        outcome = await _send(server, "none", timeout=0.3)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)


@pytest.mark.parametrize("context", [_server_side(), _server_side(ca=STRANGER)], ids=["trusted", "unknown"])
async def test_auto_takes_starttls_when_offered_whoever_signed_it(context: ssl.SSLContext) -> None:
    async with SmtpServer(tls=context) as server:
        assert (await _send(server, "auto")).kind is OutcomeKind.ACCEPTED
        assert server.messages[0].tls


async def test_auto_goes_on_in_clear_when_starttls_is_not_offered_or_refused() -> None:
    for server in (SmtpServer(), SmtpServer(tls=_server_side(), script=always("STARTTLS", "454 4.7.0 not now"))):
        async with server:
            assert (await _send(server, "auto")).kind is OutcomeKind.ACCEPTED
            assert not server.messages[0].tls


async def test_none_stays_in_clear_even_when_starttls_is_offered() -> None:
    async with SmtpServer(tls=_server_side()) as server:
        assert (await _send(server, "none")).kind is OutcomeKind.ACCEPTED
        assert "STARTTLS" not in _verbs(server)


@pytest.mark.parametrize("security", ["auto", "starttls", "tls"])
async def test_the_right_password_opens_the_relay(security: str) -> None:
    logins = {LOGIN["username"]: LOGIN["password"]}
    async with SmtpServer(tls=_server_side(), implicit_tls=security == "tls", auth=logins) as server:
        assert (await _send(server, security, **LOGIN)).kind is OutcomeKind.ACCEPTED
        assert _verbs(server).count("AUTH") == 1


async def test_a_wrong_password_is_the_relays_matter_and_is_tried_once() -> None:
    async with SmtpServer(tls=_server_side(), auth={"news": "another"}) as server:
        outcome = await _send(server, "starttls", **LOGIN)
        assert (outcome.kind, outcome.code, outcome.blame) == (OutcomeKind.DEFERRED, 535, Blame.RELAY)
        assert _verbs(server).count("AUTH") == 1
        assert LOGIN["password"] not in outcome.text


@pytest.mark.parametrize(
    "answer", ["250 2.0.0 taken", "220 go", "354 go", "454 4.7.0 later", Act.DISCONNECT, Act.GARBAGE]
)
async def test_what_is_no_welcome_to_a_login_is_never_taken_for_an_accepted_message(answer: Any) -> None:
    logins = {LOGIN["username"]: LOGIN["password"]}
    async with SmtpServer(tls=_server_side(), auth=logins, script=always("AUTH", answer)) as server:
        outcome = await _send(server, "starttls", **LOGIN)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert "MAIL" not in _verbs(server)


async def test_a_login_method_the_server_only_pretends_to_have_is_passed_over() -> None:
    def no_plain(moment: Any) -> str | None:
        return "504 5.5.4 no" if moment.command == "AUTH" and moment.argument.startswith("PLAIN") else None

    async with SmtpServer(tls=_server_side(), auth={"news": LOGIN["password"]}, script=no_plain) as server:
        assert (await _send(server, "starttls", **LOGIN)).kind is OutcomeKind.ACCEPTED
        assert [line.split()[1] for _, line in server.commands if line.startswith("AUTH")] == ["PLAIN", "LOGIN"]


async def test_a_relay_without_auth_is_not_sent_a_password() -> None:
    async with SmtpServer(tls=_server_side()) as server:
        outcome = await _send(server, "starttls", **LOGIN)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert "offers no login" in outcome.text


async def test_s10_a_password_is_never_sent_in_clear_though_the_server_asks_for_it() -> None:
    async with SmtpServer(auth={"news": LOGIN["password"]}, auth_in_clear=True) as server:
        outcome = await _send(server, "auto", **LOGIN)
        assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, Blame.RELAY)
        assert not {"AUTH", "MAIL"} & set(_verbs(server))


async def test_s10_a_password_is_not_given_to_a_stranger() -> None:
    async with SmtpServer(tls=_server_side(ca=STRANGER), auth={"news": LOGIN["password"]}) as server:
        outcome = await _send(server, "auto", **LOGIN)
        assert "the certificate is not trusted" in outcome.text
        assert "AUTH" not in _verbs(server)
