"""Moving the rows of a batch, a slice at a time. Every function is one transaction that locks the batch first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from shared.db import batch_rows as row_rows
from shared.db import batches as batch_tables
from shared.db import engine
from shared.db import releases as release_rows
from shared.db import slices as slice_rows
from shared.domain import batch_rows, batches, events, slices
from shared.services import reservations

_RUNS = frozenset({batches.BatchStatus.IN_PROGRESS, batches.BatchStatus.PAUSED})
_HAS_ROWS_OUT = _RUNS | frozenset(batches.STOPPING)


class LostSliceError(Exception):
    """This process was taken for dead and its rows are somebody else's; what it learned is not written."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a batch that this process has in hand. `checker` is None until the file was read."""

    number: int
    batch: batches.Batch
    checker: batch_rows.Checker | None


Supply = slices.Supply
Result = slices.Outcome | slices.HandOver


async def begin(db: engine.Database, batch_id: str, owner: str, supply: Supply) -> Slice | None:
    """Take a slice of the batch in hand; None when nothing is to be done on it. Commits."""
    async with db.transaction() as connection:
        batch = await batch_tables.by_id(connection, batch_id)
        if batch is None or batch.status not in batches.WORKING:
            return None
        number = await slice_rows.begin(connection, batch.number, owner)
    checker = None
    if batch.layout is not None:
        usable = batches.reach(supply.catalog, supply.usable, is_test=batch.is_test)
        checker = batch_rows.Checker(batch.recipe, batch.layout, supply.catalog, usable)
    return Slice(number, batch, checker)


async def hold(db: engine.Database, held: Slice) -> bool:
    """Make this slice the only one that reads or closes the batch; False if another does. Commits."""
    async with db.transaction() as connection:
        return await slice_rows.hold(connection, held.batch.number, held.number)


async def end(db: engine.Database, number: int, batch: batches.Batch, next_at: datetime) -> None:
    """Put the slice down, and have the batch rung for by `next_at`. Commits. May be repeated."""
    async with db.transaction() as connection:
        # Locked first: everybody takes the batch before its rows.
        current = await batch_tables.by_id(connection, batch.id, for_update=True)
        await slice_rows.end(connection, [number])
        if current is not None:
            await batch_tables.ring_by(connection, batch.number, next_at)


async def rescue(db: engine.Database) -> int:
    """Put down the slices of processes that fell silent; how many there were. Commits. May be repeated."""
    async with db.transaction() as connection:
        return await slice_rows.end_dead(connection)


async def held(db: engine.Database, owner: str) -> dict[str, int]:
    """The slices a process has in hand, as its `Hand` counts them."""
    async with db.transaction() as connection:
        return await slice_rows.of_owner(connection, owner)


async def drop(db: engine.Database, numbers: Sequence[int]) -> None:
    """Put slices down that were dropped on the way. Commits. May be repeated."""
    async with db.transaction() as connection:
        await slice_rows.end(connection, list(numbers))


async def tend(db: engine.Database, batch_id: str, now: datetime) -> batches.Batch | None:
    """Do the next piece of what the batch needs besides asking: take over ends of released jobs, put failed rows back
    for a new generation, end waiting rows, go on to closing. Commits. May be repeated; answers the batch as it is.
    """
    async with db.transaction() as connection:
        batch = await batch_tables.by_id(connection, batch_id, for_update=True)
        if batch is None or (batch.validated_at is None and batch.status not in batches.STOPPING):
            return batch
        if batch.status in _RUNS and batch.deadline_at is not None and batch.deadline_at <= now:
            expiring = batches.BatchStatus.EXPIRING
            await batch_tables.change(connection, batch.number, expiring, ends_as=batches.BatchStatus.EXPIRED)
        elif batch.status in _HAS_ROWS_OUT:
            await _tend(connection, batch, now)
        return await batch_tables.by_id(connection, batch_id)


async def _tend(connection: engine.Connection, batch: batches.Batch, now: datetime) -> None:
    ended, cost = await release_rows.settle_released(connection, batch.number)
    deltas = Counter(ended)
    deltas["in_progress"] -= ended.total()
    written: list[batch_rows.Written] = []
    stopping = batches.STOPPING.get(batch.status)
    if stopping is not None:
        # Failed rows that a new generation has not come to stay as they are.
        await batch_tables.note(connection, batch.number, reset_cursor=None)
        await release_rows.cancel_released(connection, batch.number, now)
        stopped, written = await row_rows.stop_waiting(connection, batch, stopping, now)
        deltas.subtract(stopped)
        deltas[stopping] += stopped.total()
    elif batch.reset_cursor is not None and batch.status is batches.BatchStatus.IN_PROGRESS:
        # Not `+=`, which forgets what a Counter counts below nought.
        deltas.update(await _reset(connection, batch, batch.reset_cursor, now))
    await batch_tables.move(connection, batch.number, deltas, cost)
    still_open = batch.counts.open + deltas["queued"] + deltas["in_progress"]
    is_reset = stopping is not None or batch.reset_cursor is None
    if not still_open and is_reset and batch.status is not batches.BatchStatus.PAUSED:
        await batch_tables.change(connection, batch.number, batches.BatchStatus.FINALIZING)
    current = await batch_tables.by_id(connection, batch.id)
    if current is None:
        return
    await tell(connection, current, now)
    # The last thing in a transaction that ended rows: budgets are locked after everything else.
    await reservations.settle_batch(
        connection, current, [charge for row in written for charge in row.charges], cost, now
    )


async def tell(connection: engine.Connection, current: batches.Batch, now: datetime) -> None:
    """Tell how far the batch is, if that is news. `current` is as it is after its rows were moved, in this
    transaction.
    """
    if not current.has_news(now):
        return
    counts = current.counts
    ended = counts.total - counts.open
    data = {
        "generation": current.generation,
        "cost_micros": current.cost_micros,
        "counts": asdict(counts),
        "percent": ended * 100 // counts.total,
    }
    await batch_tables.note(connection, current.number, told_rows=ended, told_at=now)
    await batch_tables.add_event(connection, current, events.EventType.BATCH_PROGRESS, now, data)


async def _reset(connection: engine.Connection, batch: batches.Batch, after: int, now: datetime) -> Counter[str]:
    last, back = await row_rows.reset(connection, batch, after, now)
    await batch_tables.note(connection, batch.number, reset_cursor=last if last < batch.cursor else None)
    deltas: Counter[str] = Counter()
    deltas.subtract(back)
    deltas["queued"] += back.total()
    return deltas


async def waits_until(db: engine.Database, batch: batches.Batch) -> datetime | None:
    """When the next row of the batch may be tried again, if any waits."""
    async with db.transaction() as connection:
        return await row_rows.next_due(connection, batch.number)
