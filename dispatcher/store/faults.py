"""Templates of the operator's that cannot be used, as far as the owner was told."""

from __future__ import annotations

import sqlalchemy as sa

from dispatcher.model.runtime import TemplateFault
from dispatcher.store.engine import Transaction, add_new, many, table

FAULT = table(TemplateFault)


async def every(tx: Transaction) -> dict[str, TemplateFault]:
    """All of them, by the template's name."""
    return {fault.name: fault for fault in await many(tx, TemplateFault)}


async def keep(tx: Transaction, fault: TemplateFault) -> bool:
    """Keep what is wrong with a template now. False if that is known."""
    known = FAULT.c.name == fault.name
    await tx.execute(sa.delete(FAULT).where(known & (FAULT.c.written != fault.written)))
    return bool(await add_new(tx, TemplateFault, [fault.model_dump()]))


async def forget(tx: Transaction, fault: TemplateFault) -> bool:
    """A template can be used again. False if somebody else has noted that, or that it is broken once more."""
    same = (FAULT.c.name == fault.name) & (FAULT.c.written == fault.written)
    return bool((await tx.execute(sa.delete(FAULT).where(same))).rowcount)
