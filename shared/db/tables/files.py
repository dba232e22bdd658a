"""Files that callers uploaded. The bytes are in the storage."""

import sqlalchemy as sa

from shared.db.tables import metadata

files = sa.Table(
    "files",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("expires_at", metadata.Moment),
)

sa.Index("ix_files_tenant", files.c.tenant_id, files.c.id)
sa.Index("ix_files_expires", files.c.expires_at, postgresql_where=sa.text("expires_at IS NOT NULL"))
