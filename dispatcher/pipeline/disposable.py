"""The operator's list of mail domains that may not subscribe: one a line, "#" begins a remark."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from dispatcher.observability.logs import logger
from dispatcher.pipeline.context import Context

log = logger("subscribe")


def disposable_domains(ctx: Context) -> frozenset[str]:
    """The domains that stand in the file now. Without one, or if it cannot be read, none; that is logged once."""
    name = ctx.settings.subscribe.disposable_domains_file
    if not name:
        return frozenset()
    path = ctx.settings.resolve(name)
    try:
        changed_at = path.stat().st_mtime_ns
    except OSError:
        changed_at = 0
    return _read(path, changed_at)


@lru_cache(maxsize=2)
def _read(path: Path, changed_at: int) -> frozenset[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        log.warning("subscribe.disposable_domains_file cannot be read", file=str(path), reason=str(error))
        return frozenset()
    names = (line.partition("#")[0].strip().lower().lstrip("@*.") for line in lines)
    return frozenset(name for name in names if name)
