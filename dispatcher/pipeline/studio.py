"""The studio: mails looked at while somebody works on templates, theme and settings. Nothing is kept.

    what is asked ▷ the reader's next mail, or a specimen ▷ shown ▷ on request: one copy to the operator
    files change  ▷ settings and templates read again     ▷ a mistake is shown until it is mended

Links open nothing: who looks at a reader's mail may not act in their name, and one click would end a subscription.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher import clock
from dispatcher.config import Settings
from dispatcher.digest import voice
from dispatcher.digest.assembly import assemble
from dispatcher.digest.headers import message_id
from dispatcher.digest.render import builtin_folder
from dispatcher.errors import DispatcherError, StoreError
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import Outcome
from dispatcher.pipeline.admission import person
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.preview import AS_IT_IS, Preview, Silence, Wish, preview
from dispatcher.pipeline.specimens import NAMES, specimen
from dispatcher.sources.watch import changes
from dispatcher.store import desk
from dispatcher.tokens import Keyring

MARK = "[Preview] "
"""Before the subject of a copy that goes to the operator."""

SETTLED = timedelta(seconds=0.05)
"""After a change of a file, so that whoever writes it is done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to look at. `reader` is an address; `mail` is one of NAMES, or empty for their next one."""

    reader: str = ""
    mail: str = ""
    at: datetime | None = None
    wish: Wish = AS_IT_IS


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to see: a mail, or a `fault` that must be mended first. `note` says what the mail is not."""

    preview: Preview | None
    note: str = ""
    fault: str = ""


class Studio:
    """One for each preview page. `load` reads the settings as they are now."""

    def __init__(self, ctx: Context, load: Callable[[], Settings]) -> None:
        self._ctx = replace(ctx, keyring=Keyring({"preview": secrets.token_bytes(32)}, "preview"), _kept={})
        self._load = load
        self._fault = ""
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._is_closed = False
        self.version = 0

    @property
    def locales(self) -> Sequence[str]:
        """The languages that mails are written in."""
        return sorted({"en", *(path.stem for path in voice.WORDS.glob("*.po"))})

    @property
    def newsletters(self) -> Sequence[tuple[str, str]]:
        """Slug and name of the newsletters that config names."""
        return [(one.slug, one.name) for one in self._ctx.published]

    @property
    def folders(self) -> Sequence[Path]:
        """Where something may change that shows."""
        settings = self._ctx.settings
        config = [settings.file.parent] if settings.file else []
        return [*config, settings.resolve(settings.templates.folder), builtin_folder()]

    async def readers(self, start: str, limit: int) -> list[str]:
        """Addresses of readers that begin so; without a beginning the latest."""
        async with self._ctx.store.read() as tx:
            return [found.email for found in await desk.readers(tx, start.lower(), limit)]

    async def show(self, asked: Asked) -> Shown:
        """What is asked for, as it would be now. It never raises for a mistake in what somebody writes."""
        if self._fault:
            return Shown(None, fault=self._fault)
        try:
            async with self._turn:
                return await self._shown(asked)
        except DispatcherError as error:
            return Shown(None, fault=str(error))

    async def send(self, asked: Asked, to: str) -> Outcome:
        """Send a copy to the operator, over the relays that all mail takes, accounted for nowhere.

        DispatcherError if there is nothing to send.
        """
        shown = await self.show(asked)
        if shown.preview is None:
            raise DispatcherError(shown.fault)
        ours, now = self._ctx.addresses(shown.preview.newsletter_id), clock.now()
        message = _copy(shown.preview, to, message_id(secrets.token_hex(), self._ctx.site_key, ours.domain), now)
        fields = self._ctx.signer.fields(message, ours.domain, now)
        outcome = await self._ctx.transport.send(ours.sender, to, fields + message)
        assert outcome is not None  # only a last look gives None, and there is none
        return outcome

    async def watch(self) -> None:
        """Read settings and templates again whenever one of their files changes, until cancelled."""
        stop, seen = asyncio.Event(), _state(self.folders)
        while True:
            folders = self.folders
            async for _ in changes(folders, stop):
                await asyncio.sleep(SETTLED.total_seconds())
                if (state := _state(folders)) != seen:
                    seen = state
                    await self.refresh()
                if self.folders != folders:
                    seen = _state(self.folders)
                    break

    async def refresh(self) -> None:
        """Read settings and templates again. What is wrong with them is shown instead of mails."""
        async with self._turn:
            self._fault = ""
            try:
                self._ctx.imagine(self._load())
            except DispatcherError as error:
                self._fault = str(error)
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def news(self, seen: int) -> int | None:
        """Wait until the version is another one than `seen`, and give it; None once the studio is closed."""
        while self.version == seen and not self._is_closed:
            await self._changed.wait()
        return None if self._is_closed else self.version

    def close(self) -> None:
        """Nobody needs to wait for news any longer."""
        self._is_closed = True
        self._changed.set()

    async def _shown(self, asked: Asked) -> Shown:
        if faults := self._ctx.templates.collection.faults:
            return Shown(None, fault=faults[0].reason)
        reader, note = await self._reader(asked.reader)
        if reader is not None and not asked.mail:
            found = await preview(self._ctx, reader.email, asked.at, asked.wish)
            if isinstance(found, Preview):
                return Shown(found)
            note = _silent(found)
        made = await specimen(self._ctx, asked.mail or NAMES[0], asked.at or clock.now(), asked.wish, reader)
        return Shown(made.preview, " ".join(filter(None, (note, _INVENTED if made.is_invented else ""))))

    async def _reader(self, address: str) -> tuple[Subscriber | None, str]:
        """The reader of this address, and a word if there is none."""
        if not address:
            return None, ""
        with suppress(StoreError):
            async with self._ctx.store.read() as tx:
                return await person(tx, address), ""
        return None, f"Nobody here has the address {address}: this is as somebody invented would get it."


_SUFFIXES = (".j2", ".mjml", ".toml", ".opml")
_INVENTED = "There are no articles yet: these stories are invented."


def _state(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """The files that show, as they are now: a database beside them changes whenever it is looked at."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*") if path.suffix in _SUFFIXES):
        with suppress(OSError):
            status = path.stat()
            found[path] = status.st_mtime_ns, status.st_size
    return found


def _silent(found: Silence) -> str:
    return (
        f"Nothing would be sent at {found.at:%Y-%m-%d %H:%M} UTC: {found.why}. This is a digest of the latest stories."
    )


def _copy(shown: Preview, to: str, number: str, now: datetime) -> bytes:
    """The same mail for another address. Without the headers by which a mail program would offer to leave."""
    wire = replace(shown.wire, subject=(MARK, *shown.wire.subject))
    return assemble(wire, replace(shown.envelope, recipient=to, message_id=number, dated_at=now, headers={}))
