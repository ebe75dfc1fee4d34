"""Publications: the newsletters of this installation as config names them, and how the mail of each is addressed.

    [site], [mail] ─▶ the default newsletter ─┐
    [[newsletters]] ──────────────────────────┴▶ rows, for each mail's sender, List-Id, look and footer

What a newsletter leaves empty is as in the default one. One that config no longer names is known as it was: its mail
may be on its way still, and its links to leave it never lapse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dispatcher.config import Settings, addresses, look
from dispatcher.config.nearest import did_you_mean
from dispatcher.config.newsletters import NewsletterEntry
from dispatcher.errors import StoreError
from dispatcher.model.outbound import Newsletter
from dispatcher.store import Transaction, newsletters


@dataclass(frozen=True, slots=True)
class Addresses:
    """From where a newsletter's mail comes: its sender's bare address, and where its bounces go, if elsewhere."""

    sender: str
    bounces: str = ""

    @property
    def domain(self) -> str:
        """The sender's domain: its Message-IDs are made in it, and keys that speak for it sign its mail."""
        return self.sender.rpartition("@")[2]

    @property
    def envelope_from(self) -> str:
        """What rules for relays see: the address that bounces go to."""
        return self.bounces or self.sender


@dataclass(frozen=True, slots=True)
class Publications:
    """All newsletters that there are and were, by id, and from where their mail comes."""

    by_id: Mapping[int, Newsletter]
    addresses: Mapping[int, Addresses]

    @classmethod
    def of(cls, settings: Settings, rows: Iterable[Newsletter]) -> Publications:
        """Stored newsletters, with what config says of their addresses."""
        by_id = {row.id or 0: row for row in rows}
        own = {entry.slug: entry.bounce_address for entry in settings.newsletters}
        found = {
            number: Addresses(
                addresses.mailbox(row.sender).address, own.get(row.slug, "") or settings.mail.bounce_address
            )
            for number, row in by_id.items()
        }
        return cls(by_id, found)

    def named(self, slug: str) -> Newsletter:
        """The newsletter with this slug. StoreError, with the nearest one, if there is none."""
        by_slug = {row.slug: row for row in self.by_id.values()}
        if slug not in by_slug:
            known = f"there are {', '.join(by_slug)}"
            raise StoreError(f'there is no newsletter "{slug}"{did_you_mean(slug, by_slug, known)}')
        return by_slug[slug]


async def keep(tx: Transaction, settings: Settings, default: Newsletter) -> tuple[Newsletter, Publications]:
    """Make the database say what config says of newsletters. Gives the default one and all."""
    kept = await newsletters.keep(tx, default)
    for entry in settings.newsletters:
        await newsletters.keep(tx, _row(settings, entry, default))
    return kept, Publications.of(settings, await newsletters.every(tx))


def published(settings: Settings, default: Newsletter) -> list[Newsletter]:
    """The newsletters that config names, as rows without ids, the default one first."""
    return [default, *(_row(settings, entry, default) for entry in settings.newsletters)]


def imagined(
    settings: Settings, default: Newsletter, known: Mapping[int, Newsletter]
) -> tuple[Newsletter, Publications]:
    """The same without telling the database: what it has not yet met has a number below 0."""
    ids = {row.slug: number for number, row in known.items()}
    rows = published(settings, default)
    for place, row in enumerate(rows, 1):
        row.id = ids.get(row.slug, -place)
    named = {row.slug for row in rows}
    return rows[0], Publications.of(settings, [*rows, *(row for row in known.values() if row.slug not in named)])


def _row(settings: Settings, entry: NewsletterEntry, default: Newsletter) -> Newsletter:
    sender = entry.sender or default.sender
    reply_to = entry.reply_to or ("" if entry.sender else default.reply_to)
    domain = addresses.mailbox(sender).address.rpartition("@")[2]
    return Newsletter(
        slug=entry.slug,
        name=entry.name or entry.slug,
        sender=sender,
        reply_to=reply_to,
        list_id=entry.list_id or f"{entry.slug}.{domain}",
        url=entry.url or default.url,
        language=entry.language or default.language,
        postal_address=entry.postal_address or default.postal_address,
        theme=look.stored(settings.theme, entry.theme),
        digest=entry.digest.stored,
    )
