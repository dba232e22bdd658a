"""What an Idempotency-Key was used for: the job it made, or the whole answer it got (promise P8)."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

idempotency = sa.Table(
    "idempotency",
    metadata.metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text),
    # The answer of routes that make no job, sealed if it holds a secret.
    sa.Column("status", sa.SmallInteger),
    sa.Column("headers", pg.JSONB),
    sa.Column("body", sa.LargeBinary),
    sa.Column("created_at", metadata.Moment, nullable=False),
)

sa.Index("ix_idempotency_created", idempotency.c.created_at)
