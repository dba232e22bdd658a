"""Who changed what. Append-only: a trigger refuses UPDATE and DELETE."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

audit = sa.Table(
    "audit",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target_id", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("data", pg.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
)

sa.Index("ix_audit_tenant", audit.c.tenant_id, audit.c.id)
