"""A turn of a slice: what became of its rows is written back, and new ones are taken in hand, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import failpoints
from shared.db import batch_rows as row_rows
from shared.db import engine
from shared.db import slice_turns as turn_rows
from shared.domain import batch_rows, batches, faults, recipes, slices
from shared.services import releases, reservations, shares
from shared.services import slices as slice_services

# When rows that found no room at their endpoint are looked at again.
WITHOUT_ROOM_SECONDS = 2.0

Result = slice_services.Result
Supply = slices.Supply


@dataclass(frozen=True, slots=True)
class InHand:
    """What a slice goes on having in hand: rows in the air, and rows that wait for others to come back. `ahead`: how
    many may wait for each that may be in the air, of which there are `width` at most.
    """

    in_the_air: int = 0
    waiting: int = 0
    ahead: int = 0
    width: int = slices.USUAL_CONCURRENCY


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were taken in hand and must be asked, never more than `at_once` at a time."""

    asks: Sequence[slices.Ask] = ()
    at_once: int = 0


@dataclass(slots=True)
class _Turn:
    """One turn, whose batch is locked, and what it has changed so far."""

    connection: engine.Connection
    batch: batches.Batch
    here: slice_services.Slice
    supply: Supply
    now: datetime
    deltas: Counter[str] = field(default_factory=Counter)
    charges: list[batch_rows.Written] = field(default_factory=list)
    cost_micros: int = 0
    cursor: int = 0


async def turn(
    db: engine.Database,
    here: slice_services.Slice,
    results: Sequence[Result],
    supply: Supply,
    now: datetime,
    held: InHand,
) -> Taken:
    """Write back what became of rows in hand, and take new ones in hand, each with its attempt written down as sent
    (promise P3): once this returns, they must be asked. `held` is what the slice goes on having besides. Commits.
    Raises LostSliceError; then nothing is written.
    """
    async with db.transaction() as connection:
        batch = await turn_rows.lock(connection, here.batch.id, here.number)
        if batch is None:
            raise slice_services.LostSliceError(here.batch.id)
        this = _Turn(connection, batch, here, supply, now, cursor=batch.cursor)
        await _write_back(this, results)
        may_ask = batch.status is batches.BatchStatus.IN_PROGRESS and batch.reset_cursor is None and here.checker
        taken = await _fill(this, held) if may_ask and supply.room > 0 else Taken(at_once=held.in_the_air)
        most = held.in_the_air + held.waiting + len(taken.asks)
        await _note(this, taken.asks, min(most, max(taken.at_once, held.in_the_air)))
    failpoints.reach(failpoints.Failpoint.SENT_COMMITTED)
    return taken


async def _fill(this: _Turn, held: InHand) -> Taken:
    air = held.in_the_air
    room = await shares.room(this.connection, this.batch, this.supply, this.here.number, air)
    at_once = min(air + room, held.width)
    room = min(this.supply.room, at_once * (1 + held.ahead) - air - held.waiting)
    return Taken(await _take(this, room) if room > 0 else (), at_once)


async def _write_back(this: _Turn, results: Sequence[Result]) -> None:
    is_test = this.batch.is_test
    outcomes = [item.for_nothing() if is_test else item for item in results if isinstance(item, slices.Outcome)]
    if outcomes:
        rows = await row_rows.finish(this.connection, this.batch, this.here.number, outcomes)
        ours = {row.number for row in rows}
        written = [item for item in outcomes if item.number in ours]
        this.deltas.update(row_rows.statuses(written))
        this.deltas["in_progress"] -= len(written)
        this.cost_micros += sum(item.cost_micros for item in written)
        this.charges += rows
    handed = [item for item in results if isinstance(item, slices.HandOver)]
    if handed:
        catalog = this.supply.catalog
        await releases.release(this.connection, this.batch, this.here.number, handed, catalog, this.now)


async def _take(this: _Turn, room: int) -> list[slices.Ask]:
    picked = await row_rows.pick(this.connection, this.batch, room, this.now)
    if not picked:
        return []
    plans = [_plan(this, row) for row in picked]
    waiting = [(row, item) for row, item in zip(picked, plans, strict=True) if isinstance(item, slices.NoRoom)]
    picked = [row for row, item in zip(picked, plans, strict=True) if not isinstance(item, slices.NoRoom)]
    asks = [item for item in plans if isinstance(item, slices.Ask)]
    outcomes = [item for item in plans if isinstance(item, slices.Outcome)]
    handed = [item for item in plans if isinstance(item, slices.HandOver)]
    if outcomes:
        this.charges += await row_rows.finish(this.connection, this.batch, None, outcomes)
    if handed:
        await releases.release(this.connection, this.batch, None, handed, this.supply.catalog, this.now)
    this.deltas["in_progress"] += len(asks) + len(handed)
    this.deltas.update(row_rows.statuses(outcomes))
    this.deltas.subtract(str(row.status) for row in picked)
    await _pass(this, picked, waiting)
    return asks


async def _pass(
    this: _Turn, taken: Sequence[batch_rows.Row], waiting: Sequence[tuple[batch_rows.Row, slices.NoRoom]]
) -> None:
    """Go on behind the rows that were taken. A row that certainly has no place is looked at again a little later, so
    that it holds up no others; where all rows ask for one model, new ones just stay where they are.
    """
    later = [
        row.number
        for row, found in waiting
        if found.is_certain and (row.started_at is not None or this.batch.recipe.model is None)
    ]
    if later:
        again_at = this.now + timedelta(seconds=WITHOUT_ROOM_SECONDS)
        await row_rows.put_off(this.connection, this.batch, later, again_at)
    stay = {row.number for row, _ in waiting}.difference(later)
    passed = [*later, *(row.number for row in taken)]
    this.cursor = max(this.batch.cursor, min(stay) - 1 if stay else max(passed))


def _plan(this: _Turn, row: batch_rows.Row) -> slices.Ask | slices.NoRoom | Result:
    if this.here.checker is None:
        raise slice_services.LostSliceError(this.batch.id)
    try:
        kind, request = this.here.checker.request(row.cells)
    except recipes.RowFaultError as error:
        # It was right when it was read: the catalog has changed since.
        fault = faults.Fault(faults.FaultKind.INVALID_INPUT, error.fault.message)
        return slices.Outcome(row.number, batch_rows.RowStatus.FAILED, finished_at=this.now, fault=fault)
    return slices.plan(this.batch, slices.Order(row, kind, request), this.supply, this.now)


async def _note(this: _Turn, asks: Sequence[slices.Ask], held: int) -> None:
    """The end of the transaction: the rows that are to be asked, counts and money."""
    charges = [charge for row in this.charges for charge in row.charges]
    after = this.batch.moved(this.deltas, this.cost_micros)
    left_micros = after.left_micros(sum(charge.micros for charge in charges))
    change = turn_rows.Note(asks, this.deltas, this.cost_micros, this.cursor, left_micros, held)
    await turn_rows.note(this.connection, this.batch, this.here.number, change, this.now)
    await slice_services.tell(this.connection, after, this.now)
    await reservations.charge_batch(this.connection, after, charges, this.batch.held_micros - left_micros, this.now)
