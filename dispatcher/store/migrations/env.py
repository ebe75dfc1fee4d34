"""Alembic's entry: runs on the connection that `store.schema` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import dispatcher.model.access
import dispatcher.model.archive
import dispatcher.model.audience
import dispatcher.model.consent
import dispatcher.model.content
import dispatcher.model.edition
import dispatcher.model.feedback
import dispatcher.model.outbound
import dispatcher.model.runtime  # noqa: F401 - each import declares its tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
