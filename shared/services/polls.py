"""Due polls: taken in numbers, written back in numbers."""

from dataclasses import dataclass
from datetime import datetime

from shared.db import attempts, claims, engine, events, polls
from shared.domain import attempts as domain_attempts
from shared.domain import jobs

# A job tells of its progress no more often than this.
PROGRESS_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A claimed job that waits for its provider, the attempt it waits for, and those given up before as stuck."""

    job: jobs.Job
    attempt: domain_attempts.Attempt
    overdue: tuple[domain_attempts.Attempt, ...] = ()


async def take(db: engine.Database, owner: str, now: datetime, limit: int) -> list[DuePoll]:
    """Claim up to `limit` jobs whose poll is due. Commits. May be repeated, and raced: each job is taken once."""
    async with db.transaction() as connection:
        taken = await claims.claim_polls(connection, owner, now, limit)
        by_id = await attempts.by_ids(connection, [job.attempt_id for job in taken if job.attempt_id])
        overdue = await attempts.overdue(connection, [job.id for job in taken])
    return [DuePoll(job, by_id[job.attempt_id], tuple(overdue.get(job.id, ()))) for job in taken if job.attempt_id]


async def give_back(db: engine.Database, owner: str, running: list[polls.Progress], now: datetime) -> list[str]:
    """Write back the polls that found their job still running, in bulk; answers which jobs' progress changed, and
    makes a `job.progress` event of it where somebody wants one. Commits. Jobs claimed by someone else since are left
    alone.
    """
    async with db.transaction() as connection:
        changed = await polls.give_back(connection, owner, running)
        await events.note_progress(connection, changed, now, PROGRESS_PAUSE_SECONDS)
        return changed
