"""Operators: who may come in here. For owners only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.errors import DispatcherError
from dispatcher.model.access import Operator
from dispatcher.model.values import Role
from dispatcher.pipeline import audit
from dispatcher.pipeline import operators as people
from dispatcher.store import Transaction, operators
from dispatcher.web.admin.desk import Done, acting, desk_page, known_or_404, number_in_path, texts
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of, visitor_of

HERE = "/admin/operators"


async def listing(request: Request, who: Signed) -> Response:
    """Everybody who may come in, and a form for one more."""
    return await _listing(request, who, {"name": "", "role": "viewer"})


async def add(request: Request, who: Signed) -> Response:
    """Add an operator. Without a password, links are their way in."""
    given = await texts(request, "name", "role")
    secret = (await request.form()).get("password", "")
    try:
        role = _role(given["role"])
        made = await people.make(given["name"], role, secret if isinstance(secret, str) else "", clock.now())

        async def work(tx: Transaction, now: datetime) -> Done:
            await people.insert(tx, made)
            return Done("add operator", made.name, HERE, {"role": role.value})

        return await acting(request, who, work)
    except DispatcherError as error:
        return await _listing(request, who, given, status=422, error=str(error))


async def change_role(request: Request, who: Signed) -> Response:
    """Give an operator another role."""
    found, role = await _found(request), _role((await texts(request, "role"))["role"])

    async def work(tx: Transaction, now: datetime) -> Done:
        await people.change_role(tx, found, role)
        return Done("change role", found.name, HERE, {"before": found.role.value, "after": role.value})

    return await acting(request, who, work)


async def disable(request: Request, who: Signed) -> Response:
    """Shut an operator out, at once."""
    return await _switch(request, who, on=False)


async def enable(request: Request, who: Signed) -> Response:
    """Let an operator in again."""
    return await _switch(request, who, on=True)


async def make_link(request: Request, who: Signed) -> Response:
    """A sign-in link for an operator, shown once."""
    ctx, found, now = context_of(request), await _found(request), clock.now()
    if not found.is_active:
        raise people.OperatorError(f"{found.name} is disabled; enable them first")
    async with ctx.store.write() as tx:
        await audit.note(tx, who.actor, "make sign-in link", found.name, now, ip=visitor_of(request).ip)
    return await _listing(request, who, {"name": "", "role": "viewer"}, link=people.link(ctx, found, now), of=found)


async def _switch(request: Request, who: Signed, *, on: bool) -> Response:
    found = await _found(request)

    async def work(tx: Transaction, now: datetime) -> Done:
        await people.switch(tx, found, on=on)
        return Done("enable operator" if on else "disable operator", found.name, HERE)

    return await acting(request, who, work)


async def _listing(
    request: Request, who: Signed, given: dict[str, str], *, status: int = 200, error: str = "", link: str = "",
    of: Operator | None = None,
) -> Response:  # fmt: skip
    async with context_of(request).store.read() as tx:
        found = await operators.every(tx)
        visits = {one.id: len(await operators.visits(tx, one.id or 0, clock.now())) for one in found}
    known: dict[str, Any] = {"operators": found, "visits": visits, "link": link, "of": of}
    return await desk_page(
        request, who, "operators", status=status, roles=list(Role), given=given, error=error, **known
    )


async def _found(request: Request) -> Operator:
    async with context_of(request).store.read() as tx:
        return known_or_404(await operators.get(tx, number_in_path(request)))


def _role(text: str) -> Role:
    if text not in set(Role):
        raise people.OperatorError(f"{text[:40]!r} is no role; there are {', '.join(Role)}")
    return Role(text)
