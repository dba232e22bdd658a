"""One event to one receiver, from the moment of the event until it is over."""

import sqlalchemy as sa

from shared.db.tables import metadata

deliveries = sa.Table(
    "deliveries",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    sa.Column("receiver_id", sa.Text, sa.ForeignKey("receivers.id", ondelete="CASCADE"), nullable=False),
    # A job's own URL; NULL: the receiver's as it is when the try is made.
    sa.Column("url", sa.Text),
    # Another envelope than the event's own; NULL: as it is.
    sa.Column("format", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("step", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("try_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("due_at", metadata.Moment, nullable=False),
    sa.Column("finished_at", metadata.Moment),
    sa.Column("last_status_code", sa.SmallInteger),
    sa.Column("last_error", sa.Text),
    sa.Column("lease_owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
)

sa.Index(
    "ix_deliveries_waiting",
    deliveries.c.receiver_id,
    deliveries.c.due_at,
    postgresql_where=sa.text("status = 'pending' AND lease_owner IS NULL"),
)
sa.Index("ix_deliveries_held", deliveries.c.receiver_id, postgresql_where=sa.text("lease_owner IS NOT NULL"))
sa.Index("ix_deliveries_tenant", deliveries.c.tenant_id, deliveries.c.id.desc())
sa.Index("ix_deliveries_receiver", deliveries.c.receiver_id, deliveries.c.id.desc())
sa.Index("ix_deliveries_event", deliveries.c.event_id)
