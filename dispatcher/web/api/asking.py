"""Somebody is asked by mail whether they want to read: the double opt-in, begun by a program rather than on a page."""

from __future__ import annotations

from starlette.responses import Response

from dispatcher.pipeline import choices, optin
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.disposable import disposable_domains
from dispatcher.store import Transaction
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.problems import Fault, ProblemError
from dispatcher.web.api.routes import Call
from dispatcher.web.api.schemas.subscribers import Asked, NewSubscriber
from dispatcher.web.asking import network_of, visitor_of

ASKED = Asked().model_dump_json()
LATER = {"Retry-After": "3600"}
POINTERS = {"address": "email"}


async def ask(call: Call, asked: NewSubscriber) -> Response:
    """Send the mail that asks for a confirmation, within the limits that hold on the page too."""
    if not call.ctx.door.url:
        raise ProblemError(409, "Nobody could confirm: the configuration has no [web] url for links to lead to.")
    wanted = await _checked(call, asked)
    proof = _proof(call, asked)

    async def first() -> None:
        if not await optin.request(call.ctx, wanted, proof, call.now):
            raise ProblemError(429, "Too many confirmations were asked for from this network.", headers=LATER)

    async def work(tx: Transaction) -> Reply:
        await call.note(tx, "ask subscriber", "", topics=list(wanted.topics))
        return Reply(202, ASKED)

    return await call.once(work, first)


async def _checked(call: Call, asked: NewSubscriber) -> Choices:
    """What is asked for, in normal form. ProblemError 422 says all that is wrong with it."""
    site = call.ctx.settings.site
    wanted = Choices(
        address=asked.email,
        name=asked.name,
        topics=tuple(one.topic for one in asked.topics),
        cadence=asked.cadence,
        timezone=asked.timezone or site.timezone,
        locale=asked.locale or site.language,
    )
    async with call.ctx.store.read() as tx:
        offered = await optin.offered(tx)
    disposable = disposable_domains(call.ctx)
    good, faults = choices.check(wanted, offered=offered, locales={wanted.locale}, own_topics=0, disposable=disposable)
    if faults:
        errors = [Fault(pointer=f"#/{POINTERS.get(name, name)}", detail=word) for name, word in faults.fields.items()]
        raise ProblemError(422, "What was sent is not valid.", errors=errors)
    return good


def _proof(call: Call, asked: NewSubscriber) -> optin.Proof:
    """Where the wish came from, as far as the program tells."""
    ip = str(asked.ip or visitor_of(call.request).ip)
    wording = asked.consent or call.ctx.settings.subscribe.consent
    return optin.Proof(wording, call.caller.actor, ip, network_of(ip), user_agent="")
