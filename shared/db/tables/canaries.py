"""When a task last went all the way through each queue: a living process proves nothing about its queue."""

import sqlalchemy as sa

from shared.db.tables import metadata

canaries = sa.Table(
    "canaries",
    metadata.metadata,
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("sung_at", metadata.Moment, nullable=False),
)
