"""Which Idempotency-Key made which job (promise P8)."""

import sqlalchemy as sa

from shared.db.tables import metadata

idempotency = sa.Table(
    "idempotency",
    metadata.metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
)
