"""What is due, for the relay to ring for."""

from dataclasses import dataclass
from datetime import datetime

from shared.db import claims, engine, slices


@dataclass(frozen=True, slots=True)
class Due:
    """Jobs to ring for, how many polls are due, and how many of the jobs had been rung for before."""

    job_ids: tuple[str, ...]
    polls: int
    rung_again: int


async def take(db: engine.Database, now: datetime, limit: int) -> Due:
    """Mark up to `limit` due jobs as rung and answer them. Commits. May be repeated and raced: a job is rung again
    only after a while, in case its doorbell was lost.
    """
    async with db.transaction() as connection:
        rung = await claims.ring(connection, now, limit)
        polls = await claims.count_due_polls(connection, now, cap=limit * 10)
    return Due(tuple(job_id for job_id, _ in rung), polls, sum(1 for _, before in rung if before))


async def take_slices(
    db: engine.Database, now: datetime, slots_per_worker: int, rows_per_slice: int
) -> list[tuple[str, int]]:
    """Mark due batches as rung and answer how many slices each may have now. Commits. May be repeated and raced."""
    async with db.transaction() as connection:
        return await slices.ring(connection, now, slots_per_worker, rows_per_slice)


async def next_at(db: engine.Database) -> datetime | None:
    """When something falls due next, if anything waits."""
    async with db.transaction() as connection:
        moments = [await claims.next_due(connection), await slices.next_ring(connection)]
    return min((moment for moment in moments if moment is not None), default=None)


async def wake_overdue(db: engine.Database, now: datetime, collect_grace_seconds: int) -> list[str]:
    """Make jobs past their deadline due, so that a worker ends them. Commits. May be repeated."""
    async with db.transaction() as connection:
        return await claims.make_overdue_due(connection, now, collect_grace_seconds)
