"""Every movement of money. Append-only: a trigger refuses UPDATE and DELETE. No foreign keys: it outlives the jobs."""

import sqlalchemy as sa

from shared.db.tables import metadata

ledger = sa.Table(
    "ledger",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("job_kind", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("micros", sa.BigInteger, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("attempt_id", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("provider", sa.Text),
    # Nothing is held, released or charged twice, whatever is repeated.
    sa.UniqueConstraint("job_id", "kind", "attempt_id", name="uq_ledger_entry", postgresql_nulls_not_distinct=True),
)

sa.Index("ix_ledger_charges", ledger.c.tenant_id, ledger.c.created_at, postgresql_where=sa.text("kind = 'charge'"))
