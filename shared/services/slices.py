"""Moving the rows of a batch, a slice at a time. Every function is one transaction that locks the batch first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from shared import failpoints
from shared.db import batch_rows as row_rows
from shared.db import batches as batch_tables
from shared.db import engine
from shared.db import releases as release_rows
from shared.db import slices as slice_rows
from shared.domain import batch_rows, batches, events, faults, recipes, slices
from shared.services import releases, reservations, shares

# When rows that found no room at their endpoint are looked at again.
WITHOUT_ROOM_SECONDS = 2.0
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
    await _tell(connection, batch, now)
    await _settle(connection, batch, written, cost, now)


async def _tell(connection: engine.Connection, batch: batches.Batch, now: datetime) -> None:
    """Tell how far the batch is, if that is news. `batch` is as it was before its rows were moved."""
    if batch.told_at is not None and now - batch.told_at < batches.LEAST_TIME:
        return
    current = await batch_tables.by_id(connection, batch.id)
    if current is None or not current.has_news(now):
        return
    counts = current.counts
    ended = counts.total - counts.open
    data = {
        "generation": current.generation,
        "cost_micros": current.cost_micros,
        "counts": asdict(counts),
        "percent": ended * 100 // counts.total,
    }
    await batch_tables.note(connection, batch.number, told_rows=ended, told_at=now)
    await batch_tables.add_event(connection, current, events.EventType.BATCH_PROGRESS, now, data)


async def _settle(
    connection: engine.Connection,
    batch: batches.Batch,
    written: Sequence[batch_rows.Written],
    by_jobs_micros: int,
    now: datetime,
) -> None:
    """The last thing in a transaction that ended rows: budgets are locked after everything else."""
    charges = [charge for row in written for charge in row.charges]
    if not charges and not batch.held_micros:
        return
    current = await batch_tables.by_id(connection, batch.id)
    if current is not None:
        await reservations.settle_batch(connection, current, charges, by_jobs_micros, now)


async def _reset(connection: engine.Connection, batch: batches.Batch, after: int, now: datetime) -> Counter[str]:
    last, back = await row_rows.reset(connection, batch, after, now)
    await batch_tables.note(connection, batch.number, reset_cursor=last if last < batch.cursor else None)
    deltas: Counter[str] = Counter()
    deltas.subtract(back)
    deltas["queued"] += back.total()
    return deltas


async def turn(
    db: engine.Database, here: Slice, results: Sequence[Result], supply: Supply, now: datetime, held: int
) -> list[slices.Ask]:
    """Write back what became of rows in hand, and take new ones in hand, each with its attempt written down as sent
    (promise P3): once this returns, they must be asked. `held` is how many the slice goes on holding without the new
    ones. Commits. Raises LostSliceError; then nothing is written.
    """
    async with db.transaction() as connection:
        batch = await batch_tables.by_id(connection, here.batch.id, for_update=True)
        if batch is None or not await slice_rows.note_held(connection, here.number, held):
            raise LostSliceError(here.batch.id)
        written = await _write_back(connection, batch, here.number, results, supply, now)
        may_ask = batch.status is batches.BatchStatus.IN_PROGRESS and batch.reset_cursor is None
        room = await shares.room(connection, batch, supply) if may_ask and here.checker else 0
        asks, ended = await _take(connection, batch, here, supply, room, now) if room > 0 else ([], [])
        await slice_rows.note_held(connection, here.number, held + len(asks))
        await _tell(connection, batch, now)
        await _settle(connection, batch, [*written, *ended], 0, now)
    failpoints.reach(failpoints.Failpoint.SENT_COMMITTED)
    return asks


async def _write_back(
    connection: engine.Connection,
    batch: batches.Batch,
    slice_number: int,
    results: Sequence[Result],
    supply: Supply,
    now: datetime,
) -> list[batch_rows.Written]:
    outcomes = [item.for_nothing() if batch.is_test else item for item in results if isinstance(item, slices.Outcome)]
    rows: list[batch_rows.Written] = []
    if outcomes:
        rows = await row_rows.finish(connection, batch, slice_number, outcomes)
        ours = {row.number for row in rows}
        written = [item for item in outcomes if item.number in ours]
        deltas = row_rows.statuses(written)
        deltas["in_progress"] -= len(written)
        cost = sum(item.cost_micros for item in written)
        await batch_tables.move(connection, batch.number, deltas, cost)
    handed = [item for item in results if isinstance(item, slices.HandOver)]
    if handed:
        await releases.release(connection, batch, slice_number, handed, supply.catalog, now)
    return rows


async def _take(
    connection: engine.Connection, batch: batches.Batch, here: Slice, supply: Supply, room: int, now: datetime
) -> tuple[list[slices.Ask], list[batch_rows.Written]]:
    picked = await row_rows.pick(connection, batch, room, now)
    if not picked:
        return [], []
    plans = [_plan(batch, here, row, supply, now) for row in picked]
    waiting = [(row, item) for row, item in zip(picked, plans, strict=True) if isinstance(item, slices.NoRoom)]
    picked = [row for row, item in zip(picked, plans, strict=True) if not isinstance(item, slices.NoRoom)]
    asks = [item for item in plans if isinstance(item, slices.Ask)]
    outcomes = [item for item in plans if isinstance(item, slices.Outcome)]
    handed = [item for item in plans if isinstance(item, slices.HandOver)]
    if asks:
        await row_rows.begin(connection, batch, here.number, asks, now)
    written = await row_rows.finish(connection, batch, None, outcomes) if outcomes else []
    if handed:
        await releases.release(connection, batch, None, handed, supply.catalog, now)
    deltas = Counter({"in_progress": len(asks) + len(handed)}) + row_rows.statuses(outcomes)
    deltas.subtract(str(row.status) for row in picked)
    await batch_tables.move(connection, batch.number, deltas)
    await _pass(connection, batch, picked, waiting, now)
    return asks, written


async def _pass(
    connection: engine.Connection,
    batch: batches.Batch,
    taken: Sequence[batch_rows.Row],
    waiting: Sequence[tuple[batch_rows.Row, slices.NoRoom]],
    now: datetime,
) -> None:
    """Go on behind the rows that were taken. A row that certainly has no place is looked at again a little later, so
    that it holds up no others; where all rows ask for one model, new ones just stay where they are.
    """
    later = [
        row.number
        for row, found in waiting
        if found.is_certain and (row.started_at is not None or batch.recipe.model is None)
    ]
    if later:
        await row_rows.put_off(connection, batch, later, now + timedelta(seconds=WITHOUT_ROOM_SECONDS))
    stay = {row.number for row, _ in waiting}.difference(later)
    passed = [*later, *(row.number for row in taken)]
    cursor = max(batch.cursor, min(stay) - 1 if stay else max(passed))
    if cursor != batch.cursor:
        await batch_tables.note(connection, batch.number, cursor=cursor)


def _plan(
    batch: batches.Batch, here: Slice, row: batch_rows.Row, supply: Supply, now: datetime
) -> slices.Ask | slices.NoRoom | Result:
    if here.checker is None:
        raise LostSliceError(batch.id)
    try:
        kind, request = here.checker.request(row.cells)
    except recipes.RowFaultError as error:
        # It was right when it was read: the catalog has changed since.
        fault = faults.Fault(faults.FaultKind.INVALID_INPUT, error.fault.message)
        return slices.Outcome(row.number, batch_rows.RowStatus.FAILED, finished_at=now, fault=fault)
    return slices.plan(batch, slices.Order(row, kind, request), supply, now)


async def waits_until(db: engine.Database, batch: batches.Batch) -> datetime | None:
    """When the next row of the batch may be tried again, if any waits."""
    async with db.transaction() as connection:
        return await row_rows.next_due(connection, batch.number)
