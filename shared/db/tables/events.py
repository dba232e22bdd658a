"""Facts that happened to jobs, batches and receivers, in the order they happened to each."""

import sqlalchemy as sa

from shared.db.tables import metadata

events = sa.Table(
    "events",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    # A job, a batch, a receiver or a tenant: the prefix says which. No foreign key: events outlive their subject.
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    # What is sent, byte for byte; text and not JSONB, which would put the keys in another order.
    sa.Column("body", sa.Text, nullable=False),
    # Ids of racing transactions are not in the order of their commits; a follower goes by this (db/events.py).
    sa.Column("xact", sa.BigInteger, nullable=False, server_default=sa.text("(pg_current_xact_id()::text)::bigint")),
    sa.UniqueConstraint("subject_id", "sequence", name="uq_events_subject_sequence"),
)

sa.Index("ix_events_feed", events.c.tenant_id, events.c.xact, events.c.id)
