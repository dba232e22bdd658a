"""Writing down what is read of a batch's file: rows in chunks, each with the cursor, so that a crash goes on there."""

import collections
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared import errors, failpoints
from shared.db import batch_rows as row_rows
from shared.db import batches as batch_tables
from shared.db import copies, engine
from shared.db import keys as key_rows
from shared.db import slices as slice_rows
from shared.domain import batch_rows, batches, events, sheets, states
from shared.services import reservations

# A batch of fewer rows is no matter, whatever Postgres believes of it.
GAUGED_ROWS = 5000


class LostReadingError(Exception):
    """Another process reads this file now, or the batch was cancelled; nothing was written."""


@dataclass(slots=True)
class Chunk:
    """Some rows as lines of `copies.line`, and what they come to."""

    lines: bytes = b""
    rows: int = 0
    last: int = 0
    invalid: int = 0
    # Most rows have one of a few prices: they are counted by it, and added up at the end.
    _prices: list[tuple[batch_rows.Price, int]] = field(default_factory=list)

    def count(self, prices: Sequence[batch_rows.Price]) -> None:
        """The prices of all rows that can be run; the others are invalid. Equal ones mostly are one object."""
        self.invalid = self.rows - len(prices)
        by_id = dict(zip(map(id, prices), prices, strict=True))
        self._prices = [(by_id[which], times) for which, times in collections.Counter(map(id, prices)).items()]

    def quote(self) -> dict[str, int]:
        """What the rows come to, by column of `batches`."""
        names = ("least_micros", "most_micros", "input_tokens", "output_tokens")
        return {name: sum(getattr(price, name) * times for price, times in self._prices) for name in names}

    def dearest_micros(self) -> int:
        """What the dearest row may cost."""
        return max((price.most_micros for price, _ in self._prices), default=0)


async def save_layout(
    db: engine.Database,
    batch: batches.Batch,
    slice_number: int,
    layout: sheets.Layout,
    notes: Sequence[str],
    size_bytes: int,
) -> None:
    """Keep how the file is read. Commits. May be repeated. Raises LostReadingError."""
    async with db.transaction() as connection:
        await _still_ours(connection, batch, slice_number)
        await batch_tables.note(
            connection, batch.number, layout=asdict(layout), notes=list(notes), source_bytes=size_bytes
        )


async def most_rows(db: engine.Database, batch: batches.Batch, most: int) -> int:
    """How many rows the batch may have: `most`, or what its key is held to if that is less."""
    async with db.transaction() as connection:
        key = await key_rows.get(connection, batch.tenant_id, batch.key_id)
    of_key = key.limits.max_batch_rows if key else None
    return most if of_key is None else min(most, of_key)


async def store(
    db: engine.Database,
    batch: batches.Batch,
    slice_number: int,
    chunk: Chunk,
    before: Awaitable[None] | None = None,
) -> None:
    """Insert a chunk and move the cursor behind it, once the chunk `before` is stored: its commit need not be waited
    for with the copying of this one. Commits. Raises LostReadingError, and what `before` raises; then nothing is
    stored.
    """
    async with db.transaction() as connection:
        try:
            await copies.copy_in(connection, chunk.lines)
        except copies.DoubledError:
            raise LostReadingError(batch.id) from None
        if before is not None:
            await before
        await _still_ours(connection, batch, slice_number)
        added = {"queued": chunk.rows - chunk.invalid, "invalid": chunk.invalid, **chunk.quote()}
        await batch_tables.add_read(connection, batch.number, added, chunk.dearest_micros(), chunk.last)
    failpoints.reach(failpoints.Failpoint.ROWS_STORED)


async def finish(
    db: engine.Database, batch: batches.Batch, slice_number: int, now: datetime, *, has_ids: bool
) -> batches.BatchStatus:
    """The whole file was read: mark doubled ids if there are any (`has_ids`), and make the batch ready, running or
    failed. One that no budget allows is ready, with the reason. Commits. Raises LostReadingError.
    """
    async with db.transaction() as connection:
        await row_rows.allow_long(connection)
        await _still_ours(connection, batch, slice_number)
        doubled = await row_rows.mark_duplicates(connection, batch.number) if has_ids else 0
        await batch_tables.move(connection, batch.number, {"queued": -doubled, "invalid": doubled})
        current = await batch_tables.by_id(connection, batch.id)
        if current is None:
            raise LostReadingError(batch.id)
        if current.counts.total >= GAUGED_ROWS:
            await row_rows.gauge(connection)
        fault = _fault_of(current.counts, current.wishes)
        if fault is not None:
            await _reject(connection, current, fault, now)
            return batches.BatchStatus.FAILED
        return await _go_on(connection, current, now)


async def fail(
    db: engine.Database, batch: batches.Batch, slice_number: int, error: sheets.SheetError, now: datetime
) -> None:
    """The file cannot be read: forget its rows and end the batch. Nothing was run. Commits. Raises LostReadingError."""
    async with db.transaction() as connection:
        await row_rows.allow_long(connection)
        await _still_ours(connection, batch, slice_number)
        await row_rows.drop_all(connection, batch.number)
        nothing = dict.fromkeys((*asdict(batches.Counts()), *asdict(batches.Quote()), "cursor"), 0)
        await batch_tables.note(connection, batch.number, **nothing)
        await _end(connection, batch, error.code, error.message, now)


def _fault_of(counts: batches.Counts, wishes: batches.Wishes) -> tuple[str, str] | None:
    if not counts.total:
        return "no_rows", "The file has a header and no rows."
    if not counts.queued:
        return "no_valid_rows", f"None of the {counts.total} rows can be run; see the batch's errors."
    if counts.invalid and wishes.on_invalid is batches.OnInvalid.REJECT and not wishes.dry_run:
        return "invalid_rows", f"{counts.invalid} of {counts.total} rows are faulty; see the batch's errors."
    return None


async def _reject(connection: engine.Connection, batch: batches.Batch, fault: tuple[str, str], now: datetime) -> None:
    """The good rows are cancelled, the faulty ones stay to be read."""
    # None of them was asked yet: there is nothing to charge.
    while written := (await row_rows.stop_waiting(connection, batch, states.JobStatus.CANCELLED, now))[1]:
        count = len(written)
        await batch_tables.move(connection, batch.number, {"queued": -count, "cancelled": count})
    await _end(connection, batch, *fault, now)


async def _end(connection: engine.Connection, batch: batches.Batch, code: str, message: str, now: datetime) -> None:
    await batch_tables.change(
        connection,
        batch.number,
        batches.BatchStatus.FAILED,
        error_code=code,
        error_message=message,
        finished_at=now,
        holder=None,
    )
    data = {"code": code, "message": message}
    await batch_tables.add_event(connection, batch, events.EventType.BATCH_FAILED, now, data)


async def _go_on(connection: engine.Connection, batch: batches.Batch, now: datetime) -> batches.BatchStatus:
    ready: dict[str, Any] = {"validated_at": now, "cursor": 0, "holder": None}
    counts: dict[str, Any] = {"rows": batch.counts.total, "invalid": batch.counts.invalid}
    if not batch.wishes.dry_run:
        try:
            async with connection.begin_nested():
                await batch_tables.add_event(connection, batch, events.EventType.BATCH_VALIDATED, now, counts)
                await start(connection, batch, now, **ready)
                return batches.BatchStatus.IN_PROGRESS
        except errors.BudgetExceededError as error:
            message = f"{error.message} Nothing was run: raise the budget, then POST /v1/batches/{batch.id}/start."
            ready |= {"error_code": error.code, "error_message": message}
            counts |= {"code": error.code, "message": message}
    await batch_tables.add_event(connection, batch, events.EventType.BATCH_VALIDATED, now, counts)
    await batch_tables.change(connection, batch.number, batches.BatchStatus.READY, **ready)
    return batches.BatchStatus.READY


async def start(
    connection: engine.Connection, batch: batches.Batch, now: datetime, **values: object
) -> batches.Batch | None:
    """Begin to run the rows, in the caller's transaction; None when the batch may not be started from where it is.
    Raises BudgetExceededError; then the caller undoes what this has written.
    """
    begun: dict[str, object] = {
        "started_at": now,
        "deadline_at": now + timedelta(seconds=batch.wishes.completion_window_seconds),
        "error_code": None,
        "error_message": None,
        "told_at": now,
        "told_rows": batch.counts.total - batch.counts.unfinished,
    }
    running = batches.BatchStatus.IN_PROGRESS
    started = await batch_tables.change(connection, batch.number, running, **begun | values)
    if started is not None:
        data = {"rows": batch.counts.queued, "generation": started.generation}
        await batch_tables.add_event(connection, batch, events.EventType.BATCH_STARTED, now, data)
        # Last: the rows of budgets are the busiest, and stay locked until the commit.
        await reservations.begin_batch(connection, started, now)
    return started


async def _still_ours(connection: engine.Connection, batch: batches.Batch, slice_number: int) -> None:
    if not await slice_rows.still_reads(connection, batch.number, slice_number):
        raise LostReadingError(batch.id)
