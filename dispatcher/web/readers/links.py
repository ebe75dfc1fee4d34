"""What every page behind a signed link needs: where links lead, what is said of a dead one, who is acting."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.optin import Proof
from dispatcher.web.asking import context_of, visitor_of
from dispatcher.web.pages import at, page


def path_of(ctx: Context, action: Action, more: str = "") -> str:
    """The path that a token of this action opens."""
    token = ctx.keyring.sign(action.purpose, *action.claims, expires_at=action.expires_at)
    return at(ctx, f"/{action.purpose}/{token}{more}")


async def dead_link(request: Request, *, may_have_lapsed: bool = False) -> Response:
    """The one answer to every link that is forged, damaged, lapsed or meant for something else."""
    return await page(request, "web/dead_link.html.j2", status=404, may_have_lapsed=may_have_lapsed)


async def moved_link(request: Request) -> Response:
    """A link of ours that belongs to an address nobody reads at any more."""
    return await page(request, "web/moved_link.html.j2", status=410)


def proof_of(request: Request, what: str, *, is_page: bool = True) -> Proof:
    """Where an act of consent or of its withdrawal came from: a page of ours by its path, or a word."""
    visitor = visitor_of(request)
    source = context_of(request).settings.web.public_url + what if is_page else what
    return Proof(wording="", source=source, ip=visitor.ip, network=visitor.network, user_agent=visitor.user_agent)


def masked(address: str) -> str:
    """An address as a page shows it that others may see, because people forward mails: "a•••@reader.example"."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
