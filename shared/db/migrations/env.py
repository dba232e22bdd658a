"""Alembic's entry: one connection, short lock and statement timeouts, one migrator at a time."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from shared.db.tables import metadata

MIGRATION_LOCK = 7_310_001


def migrate(connection: sa.Connection) -> None:
    """Run what is asked for on this connection. A second migrator waits for the first."""
    connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    # A migration that cannot get its lock must fail, not queue every query of the product behind it.
    connection.execute(sa.text("SET lock_timeout = '5s'"))
    connection.execute(sa.text("SET statement_timeout = '10min'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()


_given: Any = context.config.attributes["connection"]
migrate(_given)
