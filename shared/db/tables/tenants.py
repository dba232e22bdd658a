"""Whoever owns keys, jobs and budgets."""

import sqlalchemy as sa

from shared.db.tables import metadata

tenants = sa.Table(
    "tenants",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False, server_default=sa.func.now()),
    # Its share of the workers, next to the others'.
    sa.Column("weight", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("retention_seconds", sa.Integer),
    sa.Column("disabled_at", metadata.Moment),
    # Counts the events that are about the tenant itself.
    sa.Column("sequence", sa.Integer, nullable=False, server_default="0"),
)
