"""Sending: pieces of mail kept once, rates shared by all processes, pauses, signatures made ahead.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dispatcher.model.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database from 0002 to 0003. No row is rewritten: columns are added outside of a batch, which would make
    the table anew, and fail where other tables refer to it."""
    op.create_table(
        "piece",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "bucket",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("spent", sa.JSON(), nullable=False),
        sa.Column("booked_until", UtcDateTime(), nullable=False),
        sa.Column("slowed", sa.Float(), nullable=False),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("bucket", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bucket_changed_at"), ["changed_at"], unique=False)

    op.create_table(
        "pause",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Enum("all", "bulk", name="pausescope", native_enum=False, length=16), nullable=False),
        sa.Column(
            "cause",
            sa.Enum("operator", "bounces", "volume", name="pausecause", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("pause", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pause_lifted_at"), ["lifted_at"], unique=False)

    op.create_table(
        "tally",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hour_at", UtcDateTime(), nullable=False),
        sa.Column("newsletter_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "breaking",
                "alert",
                "confirmation",
                "digest",
                "edition",
                "owner",
                "webhook",
                name="deliverykind",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("bounced", sa.Integer(), nullable=False),
        sa.Column("complained", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["newsletter_id"], ["newsletter.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hour_at", "newsletter_id", "kind", "part"),
    )
    op.add_column("attempt", sa.Column("blame", sa.String(), server_default=sa.text("''"), nullable=False))

    op.add_column("digest", sa.Column("notice", sa.String(), server_default=sa.text("''"), nullable=False))

    op.add_column("delivery", sa.Column("signature", sa.String(), server_default=sa.text("''"), nullable=False))
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_expiry")
        batch_op.drop_index("ix_delivery_finished")
        batch_op.drop_index("ix_delivery_claimed_by")
        for name, columns, where in (
            ("ix_delivery_expiry", ["status", "expires_at"], "status IN ('queued', 'deferred')"),
            ("ix_delivery_finished", ["status", "finished_at"], "finished_at IS NOT NULL"),
            ("ix_delivery_claimed_by", ["claimed_by"], "claimed_by IS NOT NULL"),
        ):
            some = sa.text(where)
            batch_op.create_index(name, columns, unique=False, sqlite_where=some, postgresql_where=some)
