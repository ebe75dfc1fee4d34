"""What every step is given: settings, database, and the doors to the outside. The one reader of the settings."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dispatcher import clock, config
from dispatcher.config import Checks, Settings, look
from dispatcher.config.sending import RelaySettings
from dispatcher.delivery.relay import Relay, Security
from dispatcher.delivery.relays import Post, Relays
from dispatcher.delivery.routing import Duty
from dispatcher.delivery.transport import Transport
from dispatcher.delivery.webhook import WebhookTransport
from dispatcher.digest.collection import Collection, Lines
from dispatcher.digest.openings import PREHEADERS, SUBJECTS
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.wire import Door
from dispatcher.errors import BusyError, StoreError
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Newsletter
from dispatcher.outbox.safety import Watch
from dispatcher.pipeline import publications
from dispatcher.pipeline.publications import Addresses, Publications
from dispatcher.pipeline.signing import Signer, Signing
from dispatcher.schedule import cadence
from dispatcher.store import Store, Transaction, claims, instances, schema
from dispatcher.store import newsletters as stored
from dispatcher.store.instances import Lock
from dispatcher.store.keys import keep_link_key, key, link_keys
from dispatcher.tokens import Keyring, key_id
from dispatcher.topics import parser

if TYPE_CHECKING:
    from dispatcher.sources.http import Fetcher
    from dispatcher.topics.index import Index


Kept = TypeVar("Kept")


@dataclass
class Context:
    """Everything a step may use. `index`, `queries` and `index_version` are the topic index in memory.

    `newsletter` is the default one, whose are the topics that no other claims, and all mail that is nobody else's.
    What not every step needs is made when it is first asked for: a process that only sends does without its memory.
    """

    settings: Settings
    store: Store
    newsletter: Newsletter
    publications: Publications
    templates: Templates
    transport: Transport
    site_key: bytes
    address_key: bytes
    keyring: Keyring
    signer: Signing
    instance: Lock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    queries: dict[int, tuple[str, str]] = field(default_factory=dict)
    index_version: int = -1
    fingerprints: dict[int, dict[str, str]] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    _kept: dict[Any, Any] = field(default_factory=dict)

    def kept(self, kind: Callable[[Context], Kept]) -> Kept:
        """What a step keeps from one time to the next: `kind(context)`, made when it is first asked for."""
        if kind not in self._kept:
            self._kept[kind] = kind(self)
        return cast(Kept, self._kept[kind])

    @cached_property
    def index(self) -> Index:
        """The topic index in memory, empty until it is synchronised."""
        from dispatcher.topics.index import Index

        return Index()

    @cached_property
    def fetcher(self) -> Fetcher:
        """The guarded client for everything that is fetched or told by HTTP."""
        from dispatcher.sources.http import Fetcher

        return Fetcher(self.settings.user_agent)

    @cached_property
    def webhooks(self) -> WebhookTransport:
        """The way out to webhooks."""
        return WebhookTransport(self.fetcher)

    @property
    def newsletters(self) -> Mapping[int, Newsletter]:
        """All newsletters that there are and were, by id."""
        return self.publications.by_id

    @property
    def published(self) -> list[Newsletter]:
        """The newsletters that config names, the default one first."""
        slugs = [self.newsletter.slug, *(entry.slug for entry in self.settings.newsletters)]
        by_slug = {newsletter.slug: newsletter for newsletter in self.newsletters.values()}
        return [by_slug[slug] for slug in slugs]

    def letter(self, newsletter_id: int | None) -> Newsletter:
        """The newsletter with this id, or the default one."""
        return self.newsletters.get(newsletter_id or 0, self.newsletter)

    def locale_of(self, person: Subscriber, letter: Newsletter) -> str:
        """The language a newsletter speaks to a reader: theirs, or its own to those who have the site's by default."""
        is_default = person.locale == self.settings.site.language and "locale" not in person.chosen
        return letter.language if is_default else person.locale

    def addresses(self, newsletter_id: int | None) -> Addresses:
        """From where the mail of a newsletter comes."""
        known = self.publications.addresses
        return known.get(newsletter_id or 0) or known[self.newsletter.id or 0]

    async def acquaint(self, tx: Transaction, newsletter_ids: Iterable[int]) -> None:
        """Know these newsletters: another process may have been given one since we were started."""
        if not set(newsletter_ids) <= self.newsletters.keys():
            self.publications = Publications.of(self.settings, await stored.every(tx))

    @property
    def door(self) -> Door:
        """Where links lead from now on, and the keys that sign them and the mail they stand in."""
        url = self.settings.web.public_url
        archive = f"{url}/archive" if url and self.settings.archive.public else ""
        return Door(url, self.keyring.signing, self.signer.names, archive)

    async def apply(self, settings: Settings) -> None:
        """Put new settings in force. Another database needs a restart; what is being sent goes out the old way."""
        if settings.database_url != self.settings.database_url:
            raise StoreError("database.url has changed: that needs a restart")
        templates, signer, before = open_templates(settings), Signer.of(settings), self.transport
        if isinstance(before, Relays) and settings.smtp != self.settings.smtp:
            before.apply(_posts(settings))
        async with self.store.write() as tx:
            self.newsletter, self.publications = await publications.keep(tx, settings, default_newsletter(settings))
        self.settings, self.templates, self.signer = settings, templates, signer
        if "webhooks" in vars(self):
            self.webhooks.forget_troubles()

    def imagine(self, settings: Settings) -> None:
        """Have new settings in force for what is only looked at: nobody else is told, and nothing is kept."""
        self.templates, self.signer = open_templates(settings), Signer.of(settings)
        if isinstance(self.transport, Relays) and settings.smtp != self.settings.smtp:
            self.transport.apply(_posts(settings))
        self.newsletter, self.publications = publications.imagined(
            settings, default_newsletter(settings), self.newsletters
        )
        self.settings = settings

    async def close(self) -> None:
        """Close what was opened when it was first asked for."""
        if "fetcher" in vars(self):
            await self.fetcher.close()


def load_settings(path: Path | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings, queries and cadences checked. ConfigError names every problem at once."""
    return config.load(path, env=env, checks=Checks(cadence=cadence.parse, query=parser.parse))


@asynccontextmanager
async def open_store(settings: Settings, now: datetime) -> AsyncIterator[Store]:
    """The database with its schema in order, and nothing else."""
    store = Store(settings.database_url)
    try:
        await schema.prepare(store, now)
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_context(
    settings: Settings, *, role: str = "command", now: datetime | None = None, transport: Transport | None = None,
    alone: bool = False,
) -> AsyncIterator[Context]:  # fmt: skip
    """Open everything a step needs, and close it again. `alone` refuses (BusyError) while a daemon is running."""
    now, signer = now or clock.now(), Signer.of(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, now))
        if alone and (daemon := await instances.living_daemon(store)):
            raise BusyError(
                f"a daemon (pid {daemon.pid} on {daemon.host}) is using this database; stop it first, "
                "or try schedules out with `dispatcher plan --dry-run --at TIME`"
            )
        async with store.write() as tx:
            newsletter, known = await publications.keep(tx, settings, default_newsletter(settings))
            site_key, address_key = await key(tx, "site"), await key(tx, "suppression")
            if secret := settings.site.secret.get_secret_value():
                site_key = secret.encode()
            keyring = await _keyring(tx, site_key, now, is_given=bool(secret))
        chosen = transport or Relays(_posts(settings))
        stack.push_async_callback(chosen.close)
        lock = await instances.register(store, role, now)
        stack.push_async_callback(_leave, store, lock, settings)
        ctx = Context(
            settings=settings,
            store=store,
            newsletter=newsletter,
            publications=known,
            templates=open_templates(settings),
            transport=chosen,
            site_key=site_key,
            address_key=address_key,
            keyring=keyring,
            signer=signer,
            instance=lock,
        )
        stack.push_async_callback(ctx.close)
        yield ctx


async def _keyring(tx: Transaction, site_key: bytes, now: datetime, *, is_given: bool) -> Keyring:
    """Every key that ever signed links; the operator's secret signs, or else the newest one of the database's own."""
    derived = hmac.new(site_key, b"dispatcher links", hashlib.sha256).digest()
    await keep_link_key(tx, key_id(derived), derived, now)
    keys = await link_keys(tx)
    return Keyring(keys, key_id(derived) if is_given else list(keys)[-1])


async def _leave(store: Store, lock: Lock, settings: Settings) -> None:
    """Give back what we still hold, so that nobody has to wait for our lease to lapse, and strike ourselves out."""
    hold = settings.send.on_uncertain == "hold"
    async with store.write() as tx:
        await claims.recover(tx, clock.now(), dead=[lock.instance_id], hold_uncertain=hold)
    await instances.leave(store, lock)


def open_templates(settings: Settings) -> Templates:
    """The operator's templates and lines over ours. What cannot be read of them is left out, and noted."""
    file = str(settings.file or "environment")
    lines = Lines(SUBJECTS, settings.subjects.given, file), Lines(PREHEADERS, settings.preheaders.given, file)
    folder = settings.resolve(settings.templates.folder)
    return Templates(collection=Collection.read(folder, builtin_folder(), lines))


def default_newsletter(settings: Settings) -> Newsletter:
    """The one newsletter that `[site]` and `[mail]` make."""
    site, mail = settings.site, settings.mail
    return Newsletter(
        slug="default",
        name=site.name,
        sender=mail.sender,
        reply_to=mail.reply_to,
        list_id=mail.list_label,
        url=site.url,
        language=site.language,
        postal_address=site.postal_address,
        theme=look.stored(settings.theme),
    )


def _posts(settings: Settings) -> list[Post]:
    """The relays that mail leaves by, each with what it is for."""
    return [(_relay(settings, entry), _duty(entry)) for entry in settings.smtp]


def _duty(entry: RelaySettings) -> Duty:
    return Duty(entry.priority, entry.weight, entry.only_to, entry.only_from)


def _relay(settings: Settings, entry: RelaySettings) -> Relay:
    return Relay(
        host=entry.host,
        port=entry.port,
        security=Security(entry.security),
        username=entry.username,
        password=entry.password.get_secret_value(),
        max_connections=entry.max_connections,
        name=entry.name,
        ca_file=str(settings.resolve(entry.ca_file)) if entry.ca_file else "",
        timeout=entry.timeout.total_seconds(),
        messages_per_connection=entry.messages_per_connection,
        delivery_reports=entry.delivery_reports,
    )
