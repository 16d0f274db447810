"""Alembic's entry: runs on the connection that :func:`serving.store.engine.migrate` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from serving.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
