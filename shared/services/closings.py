"""Ending batches."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from shared.db import batches as batch_tables
from shared.db import engine
from shared.db import slices as slice_rows
from shared.domain import batches, events


async def close(
    db: engine.Database,
    batch: batches.Batch,
    slice_number: int,
    files: Sequence[batches.ResultFile],
    now: datetime,
) -> None:
    """End the batch with its files, which are in the bucket, and tell of it. Commits. May be repeated: only the slice
    that holds the batch ends it, once.
    """
    async with db.transaction() as connection:
        if not await slice_rows.is_held(connection, batch.number, slice_number):
            return
        kept = batch_tables.files_as_json(files)
        over = await batch_tables.change(
            connection, batch.number, batch.ends_as, finished_at=now, files=kept, holder=None
        )
        if over is not None:
            data = {"status": over.status, "generation": over.generation, "cost_micros": over.cost_micros}
            counts = {"counts": asdict(over.counts)}
            await batch_tables.add_event(connection, over, events.EventType.BATCH_COMPLETED, now, data | counts)
