"""What is due, for the relay to ring for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.db import claims, engine, slices, turns
from shared.db import processes as process_rows

SMALLEST_WINDOW = 16
UNRING_SECONDS = 1.0


# A doorbell costs a worker a millisecond and more, whatever it rings for.
MOST_PER_DOORBELL = 8
# So many doorbells each worker should find, before several jobs share one.
DOORBELLS_PER_WORKER = 2


@dataclass(frozen=True, slots=True)
class Due:
    """Jobs to ring for, how many polls are due, how many of the jobs had been rung for before, and how many workers
    live.
    """

    job_ids: tuple[str, ...]
    polls: int
    rung_again: int
    workers: int

    def doorbells(self) -> list[tuple[str, ...]]:
        """The jobs, by the doorbell that rings for them: one each when few are due at a moment, some together when
        many are.
        """
        bells = max(self.workers, 1) * DOORBELLS_PER_WORKER
        size = min(max(math.ceil(len(self.job_ids) / bells), 1), MOST_PER_DOORBELL)
        return [self.job_ids[start : start + size] for start in range(0, len(self.job_ids), size)]


async def take(db: engine.Database, now: datetime, limit: int, worker_threads: int) -> Due:
    """Mark up to `limit` due jobs as rung and answer them. Commits. May be repeated and raced: a job is rung again
    only after a while, in case its doorbell was lost. New jobs are dealt out in turns (db/turns.py), only as many as
    half of the living workers' threads can hold: what is rung stands in one line, and a line cannot be fair.
    """
    again_at = now + timedelta(seconds=claims.RING_AGAIN_SECONDS)
    async with db.brisk() as connection:
        rung = await claims.ring(connection, now, limit)
        workers = len(await process_rows.alive(connection))
        window = max(workers * worker_threads // 2, SMALLEST_WINDOW)
        dealt = await turns.deal(connection, now, min(window, limit), again_at)
        polls = await claims.count_due_polls(connection, now, cap=limit * 10)
    job_ids = (*(job_id for job_id, _ in rung), *dealt)
    return Due(job_ids, polls, sum(1 for _, before in rung if before), workers)


async def not_rung(db: engine.Database, job_ids: Sequence[str], now: datetime) -> None:
    """The broker did not take these doorbells: ring again in a second. Commits. May be repeated."""
    async with db.transaction() as connection:
        await claims.unring(connection, job_ids, now + timedelta(seconds=UNRING_SECONDS))


async def take_slices(
    db: engine.Database, now: datetime, slots_per_worker: int, rows_per_slice: int
) -> list[tuple[str, int]]:
    """Mark due batches as rung and answer how many slices each may have now. Commits. May be repeated and raced."""
    async with db.transaction() as connection:
        return await slices.ring(connection, now, slots_per_worker, rows_per_slice)


async def next_at(db: engine.Database) -> datetime | None:
    """When something falls due next, if anything waits."""
    async with db.reading() as connection:
        moments = [await claims.next_due(connection), await slices.next_ring(connection)]
    return min((moment for moment in moments if moment is not None), default=None)


async def wake_overdue(db: engine.Database, now: datetime, collect_grace_seconds: int) -> list[str]:
    """Make jobs past their deadline due, so that a worker ends them. Commits. May be repeated."""
    async with db.transaction() as connection:
        return await claims.make_overdue_due(connection, now, collect_grace_seconds)
