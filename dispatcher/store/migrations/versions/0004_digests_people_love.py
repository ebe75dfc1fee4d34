"""Digests: themes, newsletters, written editions, the archive.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dispatcher.model.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database from 0003 to 0004. Columns are added outside of a batch, which would make the table anew, and
    fail where other tables refer to it."""
    op.add_column("newsletter", sa.Column("theme", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("newsletter", sa.Column("digest", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("newsletter", sa.Column("is_paused", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("topic", sa.Column("newsletter_id", sa.Integer(), nullable=True))
    op.add_column("topic", sa.Column("digest", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("digest", sa.Column("styles", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("digest", sa.Column("rest", sa.JSON(), server_default=sa.text("'[]'"), nullable=False))
    op.add_column("source", sa.Column("priority", sa.Integer(), server_default=sa.text("5"), nullable=False))
    op.add_column("source", sa.Column("broken_since", UtcDateTime(), nullable=True))
    op.add_column("source", sa.Column("told_broken_at", UtcDateTime(), nullable=True))
    op.add_column("source", sa.Column("polls", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("source", sa.Column("not_modified", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "issue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("digest_id", sa.Integer(), nullable=False),
        sa.Column("slot_at", UtcDateTime(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["digest_id"], ["digest.id"]),
        sa.ForeignKeyConstraint(["topic_id"], ["topic.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic_id", "issued_on"),
    )
    op.create_index("ix_issue_digest_id", "issue", ["digest_id"])
    op.create_index("ix_issue_created_at", "issue", ["created_at"])
    op.create_table(
        "templatefault",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("written", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("digest", sa.Column("edition_id", sa.Integer(), nullable=True))
    op.create_index("ix_digest_edition_id", "digest", ["edition_id"])
    op.create_table(
        "edition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("newsletter_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preheader", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "scheduled",
                "sending",
                "paused",
                "sent",
                "cancelled",
                name="editionstatus",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("send_at", UtcDateTime(), nullable=True),
        sa.Column("in_reader_zone", sa.Boolean(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["newsletter_id"], ["newsletter.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_index("ix_edition_status", "edition", ["status"])
    op.create_table(
        "querychange",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("query_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version", "query_id"),
    )
