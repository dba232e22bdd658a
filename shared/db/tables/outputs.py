"""Stored files: what a completed job promises (P4)."""

import sqlalchemy as sa

from shared.db.tables import metadata

outputs = sa.Table(
    "outputs",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("number", sa.SmallInteger, nullable=False),
    sa.Column("variant", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("expires_at", metadata.Moment),
    sa.Column("deleted_at", metadata.Moment),
    # When its bytes were taken out of the storage; the row said "gone" before.
    sa.Column("erased_at", metadata.Moment),
    sa.UniqueConstraint("job_id", "number", "variant", name="uq_outputs_job_number_variant"),
)

sa.Index(
    "ix_outputs_expires",
    outputs.c.expires_at,
    postgresql_where=sa.text("deleted_at IS NULL AND expires_at IS NOT NULL"),
)
sa.Index(
    "ix_outputs_unerased",
    outputs.c.deleted_at,
    postgresql_where=sa.text("deleted_at IS NOT NULL AND erased_at IS NULL"),
)
