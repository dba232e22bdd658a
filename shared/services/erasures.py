"""Forgetting the rows and the input of batches that are long over. Their result files stay, and are served instead."""

from datetime import datetime, timedelta

from shared import logs
from shared.db import engine
from shared.db import erasures as rows
from shared.domain import batches
from shared.storage import objects, troubles

MARKED_AT_ONCE = 100
ROWS_AT_ONCE = 20_000

_log = logs.get(__name__)


async def run(db: engine.Database, store: objects.Objects, retention_seconds: int, now: datetime) -> int:
    """One step: mark what is past its time, and erase a piece of one batch; answers how many rows. Commits in steps.
    May be repeated and raced. 0 seconds keep everything.
    """
    if not retention_seconds:
        return 0
    async with db.transaction() as connection:
        await rows.mark(connection, now - timedelta(seconds=retention_seconds), now, MARKED_AT_ONCE)
        batch = await rows.next_marked(connection)
        dropped = await rows.drop_rows(connection, batch.number, ROWS_AT_ONCE) if batch else 0
    if batch is None or dropped:
        return dropped
    if await _erase_input(db, store, batch):
        async with db.transaction() as connection:
            await rows.mark_done(connection, batch.number)
        _log.info("batch_erased", batch_id=batch.id)
    return 0


async def _erase_input(db: engine.Database, store: objects.Objects, batch: batches.Batch) -> bool:
    """False if it cannot be erased now. A file its owner uploaded by itself, or that a clone still reads, stays."""
    async with db.transaction() as connection:
        is_read = await rows.is_read_by_others(connection, batch)
    if is_read or not batches.is_own_input(batch):
        return True
    try:
        await store.delete([batch.source_key])
    except troubles.StorageError as error:
        _log.warning("batch_not_erased_yet", batch_id=batch.id, error=type(error).__name__)
        return False
    return True
