"""Pieces of batches that a process has in hand. Gone with the process that held them."""

import sqlalchemy as sa

from shared.db.tables import metadata

slices = sa.Table(
    "slices",
    metadata.metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("batch_number", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    # How many rows it still has in hand: what is in the air counts against the limits.
    sa.Column("held", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("created_at", metadata.Moment, nullable=False, server_default=sa.func.now()),
)

sa.Index("ix_slices_batch", slices.c.batch_number)
