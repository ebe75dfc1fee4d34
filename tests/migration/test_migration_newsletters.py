"""A database of one newsletter, from before there could be several, becomes one in which it is the default."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from builders import settings

from dispatcher.store import Store, newsletters, schema, subscribers, topics

READERSHIP = """
INSERT INTO newsletter (id, slug, name, sender, reply_to, list_id, url, language, postal_address)
    VALUES (7, 'default', 'Gazette', 'news@gazette.example', '', 'news.gazette.example', '', 'en', '');
INSERT INTO query (id, digest, text, language, created_at) VALUES (1, 'q', 'wind', 'en', '2026-03-02 07:00:00');
INSERT INTO topic (id, slug, name, description, query_id, query_text, language, is_public, origin, is_paused,
                   created_at)
    VALUES (1, 'wind', 'Wind', '', 1, 'wind', 'en', TRUE, 'config', FALSE, '2026-03-02 07:00:00');
INSERT INTO subscriber (id, email, name, timezone, locale, cadence, status, origin, chosen, consent, soft_bounces,
                        created_at)
    VALUES (1, 'ann@reader.example', '', 'UTC', 'en', 'hourly', 'active', 'config', '[]', '{}', 0,
            '2026-03-02 07:00:00');
INSERT INTO endpoint (id, subscriber_id, channel, address, address_hash, is_active, created_at)
    VALUES (1, 1, 'email', 'ann@reader.example', 'h', TRUE, '2026-03-02 07:00:00');
INSERT INTO subscription (id, subscriber_id, topic_id, channel, cadence, status, origin, chosen, release, created_at)
    VALUES (1, 1, 1, 'email', 'hourly', 'active', 'config', '[]', 0, '2026-03-02 07:00:00');
INSERT INTO schedule (id, subscriber_id, channel, newsletter_id, cadence, label, timezone, next_due_at)
    VALUES (1, 1, 'email', 7, 'hourly', 'hourly', 'UTC', '2026-03-02 08:00:00')
"""


async def test_topics_and_readers_of_0003_are_the_default_newsletters(
    tmp_path: Path, now: datetime, database_url: str
) -> None:
    from alembic import command
    from alembic.config import Config

    def to_0003(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")

    store = Store(settings(tmp_path, database_url).database_url)
    async with store.write() as tx:
        await tx.run_sync(to_0003)
        for statement in READERSHIP.split(";"):
            await tx.execute(sa.text(statement.replace(":", "\\:")))
    await schema.upgrade(store, now)
    async with store.read() as tx:
        (only,) = await newsletters.every(tx)
        assert (only.id, only.slug, only.is_paused, only.theme, only.digest) == (7, newsletters.DEFAULT, False, {}, {})
        (topic,) = await topics.every(tx)
        assert (topic.newsletter_id, topic.query_text) == (None, "wind")
        assert await newsletters.homes(tx, [1]) == {}
        assert await newsletters.readers_of(tx, 7) == [1]
        assert await newsletters.count_readers(tx) == {7: 1}
        assert (await subscribers.schedules(tx, [1]))[1][0].newsletter_id == 7
    await store.close()
