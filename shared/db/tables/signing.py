"""The keys events are signed with, of a receiver or of a tenant. Secrets are sealed (shared/webhooks/sealing.py)."""

import sqlalchemy as sa

from shared.db.tables import metadata

signing_keys = sa.Table(
    "signing_keys",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    # Set on a key that was replaced: it signs beside the new one until then.
    sa.Column("expires_at", metadata.Moment),
    sa.Column("sealed_secret", sa.Text, nullable=False),
    sa.Column("sealed_private_key", sa.Text, nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
)

sa.Index("ix_signing_keys_owner", signing_keys.c.owner_id)
sa.Index(
    "uq_signing_keys_current",
    signing_keys.c.owner_id,
    unique=True,
    postgresql_where=sa.text("expires_at IS NULL"),
)
