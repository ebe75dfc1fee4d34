"""Digests: themes, newsletters, written editions, the archive.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database from 0003 to 0004. Columns are added outside of a batch, which would make the table anew, and
    fail where other tables refer to it."""
    op.add_column("newsletter", sa.Column("theme", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
