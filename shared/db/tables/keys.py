"""Callers' keys. The secret is not here, only its SHA-256."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

keys = sa.Table(
    "keys",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("max_queued", sa.Integer),
    sa.Column("max_in_flight", sa.Integer),
    sa.Column("max_batch_rows", sa.Integer),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", metadata.Moment),
    sa.Column("disabled_at", metadata.Moment),
    # Written once a minute at most.
    sa.Column("last_used_at", metadata.Moment),
    # The secret before the last rotation: id, budgets and usage stay the key's.
    sa.Column("previous_digest", sa.Text, unique=True),
    sa.Column("previous_until_at", metadata.Moment),
)

sa.Index("ix_keys_tenant", keys.c.tenant_id, keys.c.id)
