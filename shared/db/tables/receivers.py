"""Customers' URLs that want events, and how they have been doing."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

receivers = sa.Table(
    "receivers",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    # Stands for all `webhook_url`s of a tenant at one origin, which is its url.
    sa.Column("implicit", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    # NULL: every event but those that must be named.
    sa.Column("events", pg.ARRAY(sa.Text)),
    sa.Column("sealed_headers", sa.Text),
    sa.Column("header_names", pg.ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("disabled_at", metadata.Moment),
    sa.Column("disabled_reason", sa.Text),
    # Failed tries since the last good one; strikes are those that hold others up, and open the circuit.
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("strikes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failing_since_at", metadata.Moment),
    sa.Column("paused_until_at", metadata.Moment),
    sa.Column("sequence", sa.Integer, nullable=False, server_default="0"),
)

sa.Index("ix_receivers_tenant", receivers.c.tenant_id, receivers.c.id)
sa.Index(
    "uq_receivers_implicit",
    receivers.c.tenant_id,
    receivers.c.url,
    unique=True,
    postgresql_where=sa.text("implicit"),
)
