"""Processes that may hold claims. One heartbeat a process keeps all its claims alive."""

import sqlalchemy as sa

from shared.db.tables import metadata

processes = sa.Table(
    "processes",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("started_at", metadata.Moment, nullable=False, server_default=sa.func.now()),
    # Written by the database's own clock: no process's clock decides who is dead.
    sa.Column("lease_until_at", metadata.Moment, nullable=False),
)
