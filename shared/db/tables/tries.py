"""Every post of a delivery, and what came back."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

tries = sa.Table(
    "tries",
    metadata.metadata,
    sa.Column("delivery_id", sa.Text, sa.ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("started_at", metadata.Moment, nullable=False),
    sa.Column("duration_seconds", sa.Float, nullable=False),
    sa.Column("status_code", sa.SmallInteger),
    sa.Column("error", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("response_head", sa.LargeBinary, nullable=False),
    sa.Column("response_headers", pg.JSONB, nullable=False),
)
