"""How much may be spent. `held` and `spent` are sums of the ledger, kept here so that one update can refuse (P7)."""

import sqlalchemy as sa

from shared.db.tables import metadata

budgets = sa.Table(
    "budgets",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("limit_micros", sa.BigInteger, nullable=False),
    sa.Column("held_micros", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("spent_micros", sa.BigInteger, nullable=False, server_default="0"),
    # The window that `spent` belongs to; it only ever moves on.
    sa.Column("window_at", metadata.Moment, nullable=False),
    sa.Column("notified_percent", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.CheckConstraint("held_micros >= 0", name="held"),
    sa.UniqueConstraint(
        "tenant_id", "key_id", "period", name="uq_budgets_owner_period", postgresql_nulls_not_distinct=True
    ),
)
