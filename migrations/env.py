"""Alembic's environment: migrates over the connection that ``storage.migrate`` hands in."""

from __future__ import annotations

from alembic import context

from storage.model import METADATA


def migrate() -> None:
    """Run the wanted revisions, each in a transaction of its own."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


migrate()
