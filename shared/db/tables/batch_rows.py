"""The rows of batches. A text row lives here from its reading to its result: no job row, no message, no object."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

_ZERO = sa.text("0")

batch_rows = sa.Table(
    "batch_rows",
    metadata.metadata,
    sa.Column("batch_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    # As they stand in the input, in its order.
    sa.Column("cells", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("custom_id", sa.Text),
    # Set when the row waits for a moment instead of its turn: tries again, or is taken up after a crash.
    sa.Column("due_at", metadata.Moment),
    # The slice that has the row in hand. Slices are numbered upwards, so this is claim and fence in one.
    sa.Column("slice", sa.BigInteger),
    sa.Column("generation", sa.SmallInteger, nullable=False, server_default=_ZERO),
    sa.Column("attempt", sa.SmallInteger, nullable=False, server_default=_ZERO),
    sa.Column("asks", sa.SmallInteger, nullable=False, server_default=_ZERO),
    sa.Column("model", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("credential", sa.SmallInteger, nullable=False, server_default=_ZERO),
    # Committed before the bytes leave (promise P3); set as long as the answer is not written down.
    sa.Column("sent_at", metadata.Moment),
    sa.Column("started_at", metadata.Moment),
    sa.Column("finished_at", metadata.Moment),
    sa.Column("output", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_column", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("cost_micros", sa.BigInteger, nullable=False, server_default=_ZERO),
    # The ordinary job that carries the row on: pictures and films, and texts that take more than one answer.
    sa.Column("job_id", sa.Text),
    sa.Column("history", pg.JSONB),
    sa.Column("past", pg.JSONB),
)

sa.Index(
    "ix_batch_rows_due",
    batch_rows.c.batch_number,
    batch_rows.c.due_at,
    postgresql_where=sa.text("due_at IS NOT NULL"),
)
sa.Index("ix_batch_rows_slice", batch_rows.c.slice, postgresql_where=sa.text("slice IS NOT NULL"))
sa.Index(
    "ix_batch_rows_released",
    batch_rows.c.batch_number,
    postgresql_where=sa.text("job_id IS NOT NULL AND status = 'in_progress'"),
)
sa.Index(
    "ix_batch_rows_invalid",
    batch_rows.c.batch_number,
    batch_rows.c.number,
    postgresql_where=sa.text("status = 'invalid'"),
)
