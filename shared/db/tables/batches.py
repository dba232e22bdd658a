"""Batches, with their counts: whoever moves a row moves the counts in the same transaction (promise P9)."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

_ZERO = sa.text("0")
WORKING = sa.text("status IN ('validating', 'in_progress', 'paused', 'cancelling', 'expiring', 'finalizing')")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=_ZERO)


def _amount(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=_ZERO)


batches = sa.Table(
    "batches",
    metadata.metadata,
    # The short name rows use: eight bytes a row instead of thirty.
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("is_test", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("ends_as", sa.Text, nullable=False, server_default="completed"),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("validated_at", metadata.Moment),
    sa.Column("started_at", metadata.Moment),
    sa.Column("finished_at", metadata.Moment),
    sa.Column("deadline_at", metadata.Moment),
    # JSON and not JSONB: the fields of a response schema keep their order.
    sa.Column("recipe", pg.JSON, nullable=False),
    sa.Column("wishes", pg.JSONB, nullable=False),
    sa.Column("options", pg.JSONB, nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    # Only if every row asks for the same one.
    sa.Column("model", sa.Text),
    sa.Column("source_name", sa.Text, nullable=False),
    sa.Column("source_key", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text),
    sa.Column("source_bytes", sa.BigInteger),
    sa.Column("clone_of", sa.Text),
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_receiver_id", sa.Text),
    sa.Column("layout", pg.JSONB),
    sa.Column("notes", pg.JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    # How many events it has had.
    _count("sequence"),
    _count("queued"),
    _count("in_progress"),
    _count("completed"),
    _count("failed"),
    _count("cancelled"),
    _count("expired"),
    _count("invalid"),
    _amount("least_micros"),
    _amount("most_micros"),
    _amount("input_tokens"),
    _amount("output_tokens"),
    _amount("dearest_micros"),
    _amount("cost_micros"),
    # What is reserved for the rows that have no outcome, in which budgets.
    _amount("held_micros"),
    sa.Column("budget_ids", pg.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("generation", sa.SmallInteger, nullable=False, server_default=_ZERO),
    # Reading: the last row read. Running: the last row that was claimed for the first time.
    sa.Column("cursor", sa.Integer, nullable=False, server_default=_ZERO),
    # While a new generation is prepared: the last row looked at.
    sa.Column("reset_cursor", sa.Integer),
    # The slice that reads, resets, stops or closes; nobody else does meanwhile.
    sa.Column("holder", sa.BigInteger),
    sa.Column("ring_at", metadata.Moment, nullable=False),
    # Whose turn it is: the batch rung for longest ago goes first.
    sa.Column("rung_at", metadata.Moment, nullable=False),
    # How many rows had ended when the batch's progress was last told, and when that was.
    _count("told_rows"),
    sa.Column("told_at", metadata.Moment),
    # From when on its rows and its input are not kept, and whether all of them are gone.
    sa.Column("erased_at", metadata.Moment),
    sa.Column("is_erased", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("files", pg.JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
)

sa.Index("ix_batches_tenant_created", batches.c.tenant_id, batches.c.id.desc())
sa.Index("ix_batches_ring", batches.c.ring_at, postgresql_where=WORKING)
sa.Index(
    "ix_batches_kept",
    batches.c.finished_at,
    postgresql_where=sa.text("finished_at IS NOT NULL AND NOT is_erased"),
)
# Clones read the file of the batch they were made of.
sa.Index("ix_batches_source", batches.c.source_key)
