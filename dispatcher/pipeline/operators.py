"""Operators: who may come into the admin pages, by password or by a link that works once."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from dispatcher.digest.wire import Door
from dispatcher.errors import DispatcherError, TokenError
from dispatcher.model.access import Operator
from dispatcher.model.values import Role
from dispatcher.pipeline import passwords
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import Action, url_of
from dispatcher.store import Transaction, access, operators
from dispatcher.tokens import Purpose

LINK_LASTS = timedelta(minutes=10)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")


class OperatorError(DispatcherError):
    """There is no such operator, or this may not be done to them."""


async def find(tx: Transaction, name: str) -> Operator:
    """The operator with this name, or OperatorError."""
    found = await operators.by_name(tx, name.strip().lower())
    if found is None:
        raise OperatorError(f"no operator is named {name!r}; `dispatcher operators list` shows them")
    return found


async def make(name: str, role: Role, password: str, now: datetime) -> Operator:
    """A new operator, not yet stored. Without a password, links are the only way in. OperatorError, PasswordError."""
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise OperatorError(f"{name!r} cannot be an operator's name; use letters, digits and . _ @ + -")
    stored = await passwords.hashed(password) if password else ""
    return Operator(name=name, role=role, password=stored, created_at=now)


async def insert(tx: Transaction, operator: Operator) -> None:
    """Store a new operator. OperatorError if somebody has the name."""
    if await operators.by_name(tx, operator.name) is not None:
        raise OperatorError(f"an operator {operator.name!r} is there already")
    await operators.insert(tx, operator)


async def change_password(tx: Transaction, operator: Operator, stored: str, *, but_visit: int = 0) -> None:
    """Write a new password's hash. Whoever came in by the old one has to come in again."""
    await operators.write(tx, operator.id or 0, password=stored)
    await operators.end_visits(tx, operator.id or 0, but=but_visit)


async def change_role(tx: Transaction, operator: Operator, role: Role) -> None:
    """Give an operator another role. OperatorError if nobody would be left as owner."""
    if role != Role.OWNER:
        await _keep_an_owner(tx, operator)
    await operators.write(tx, operator.id or 0, role=role)


async def switch(tx: Transaction, operator: Operator, *, on: bool) -> None:
    """Let an operator in again, or shut them out at once. OperatorError if nobody would be left as owner."""
    if not on:
        await _keep_an_owner(tx, operator)
        await operators.end_visits(tx, operator.id or 0)
    await operators.write(tx, operator.id or 0, is_active=on)


async def remove(tx: Transaction, operator: Operator) -> None:
    """Forget an operator and end their visits; what they did stays in the audit log."""
    await operators.remove(tx, operator.id or 0)


def link(ctx: Context, operator: Operator, now: datetime) -> str:
    """An address that signs an operator in once, within ten minutes. Whoever has it is the operator."""
    door = Door(ctx.settings.web.public_url or f"http://{ctx.settings.web.listen}", ctx.keyring.signing)
    claims = (operator.id or 0, secrets.token_hex(8))
    return url_of(door, ctx.keyring, Action(Purpose.SIGN_IN, claims, now + LINK_LASTS))


async def by_link(ctx: Context, tx: Transaction, token: str, now: datetime, *, use: bool) -> Operator:
    """Whom a link signs in; `use` uses it up. TokenError if it is forged, has lapsed, was used or is nobody's."""
    read = ctx.keyring.read(token, Purpose.SIGN_IN, now)
    operator = await operators.get(tx, read.number(0))
    if operator is None or not operator.is_active or read.expires_at is None:
        raise TokenError("this link is nobody's any more")
    is_fresh = access.spend(tx, read.digest, read.expires_at) if use else _is_unspent(tx, read.digest)
    if not await is_fresh:
        raise TokenError("this link has been used already")
    return operator


async def _is_unspent(tx: Transaction, digest: str) -> bool:
    return not await access.is_spent(tx, digest)


async def _keep_an_owner(tx: Transaction, operator: Operator) -> None:
    if operator.role == Role.OWNER and operator.is_active and not await operators.other_owners(tx, operator.id or 0):
        raise OperatorError(f"{operator.name} is the only owner; make somebody else one first")
