"""Rows and inputs of old batches. What was closed stays in the bucket; the batch itself stays in its table."""

from datetime import datetime

import sqlalchemy as sa

from shared.db import batches as batch_tables
from shared.db import engine
from shared.db.tables import batch_rows as row_tables
from shared.db.tables import batches as tables
from shared.domain import batches

_B, _R = tables.batches, row_tables.batch_rows


async def mark(connection: engine.Connection, before: datetime, now: datetime, limit: int) -> int:
    """From now on the rows of up to `limit` batches that ended before then are not kept; answers of how many."""
    old = (
        sa.select(_B.c.number)
        .where(_B.c.finished_at < before, sa.not_(_B.c.is_erased), _B.c.erased_at.is_(None))
        .where(_B.c.status.in_(sorted(batches.OVER)))
        .order_by(_B.c.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    marked = await connection.execute(
        sa.update(_B).where(_B.c.number.in_(old.scalar_subquery())).values(erased_at=now).returning(_B.c.number)
    )
    return len(marked.all())


async def next_marked(connection: engine.Connection) -> batches.Batch | None:
    """A batch of which something is left to erase."""
    found = await connection.execute(
        sa.select(_B)
        .where(_B.c.finished_at.is_not(None), sa.not_(_B.c.is_erased), _B.c.erased_at.is_not(None))
        .order_by(_B.c.finished_at)
        .limit(1)
    )
    row = found.one_or_none()
    return batch_tables.batch(row) if row else None


async def drop_rows(connection: engine.Connection, batch_number: int, limit: int) -> int:
    """Delete up to `limit` rows; answers how many."""
    some = sa.select(_R.c.number).where(_R.c.batch_number == batch_number).order_by(_R.c.number).limit(limit)
    dropped = await connection.execute(
        sa.delete(_R).where(_R.c.batch_number == batch_number, _R.c.number.in_(some.scalar_subquery()))
    )
    return dropped.rowcount


async def is_read_by_others(connection: engine.Connection, batch: batches.Batch) -> bool:
    """Whether a batch whose rows are kept was made from the same file."""
    others = sa.select(_B.c.number).where(
        _B.c.source_key == batch.source_key, _B.c.number != batch.number, _B.c.erased_at.is_(None)
    )
    return (await connection.execute(others.limit(1))).one_or_none() is not None


async def mark_done(connection: engine.Connection, batch_number: int) -> None:
    """Nothing of the batch is left to erase."""
    await connection.execute(sa.update(_B).where(_B.c.number == batch_number).values(is_erased=True))
