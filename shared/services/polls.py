"""Due polls: taken in numbers, written back in numbers."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from shared.db import attempts, engine, events
from shared.db import polls as rows
from shared.domain import attempts as domain_attempts
from shared.domain import polls

# A job tells of its progress no more often than this.
PROGRESS_PAUSE_SECONDS = 5.0

Pause = Callable[[polls.Due], float]


async def take(db: engine.Database, now: datetime, limit: int, pause: Pause) -> list[polls.Due]:
    """Answer up to `limit` jobs whose poll is due, and put each off by its pause (seconds), not beyond its deadline.
    Commits. May be repeated, and raced: each is taken once. Nothing is claimed, as asking changes nothing: whoever
    dies has lost a poll, and the next one comes in its time.
    """
    async with db.transaction() as connection:
        due = await rows.due(connection, now, limit)
        if due:
            await rows.put_off(connection, [(item.job_id, _next_at(item, now, pause(item))) for item in due])
    return due


def _next_at(due: polls.Due, now: datetime, seconds: float) -> datetime:
    moment = now + timedelta(seconds=seconds)
    return min(moment, due.deadline_at) if due.deadline_at > now else moment


async def note(db: engine.Database, answers: Sequence[polls.Answer], now: datetime) -> list[str]:
    """Write down polls that found their job still running, in bulk; answers which jobs' progress changed, and makes a
    `job.progress` event of it where somebody wants one. Commits. A repeat only counts the polls again.
    """
    if not answers:
        return []
    async with db.transaction() as connection:
        changed = await rows.note(connection, answers)
        await events.note_progress(connection, changed, now, PROGRESS_PAUSE_SECONDS)
        return changed


async def others(db: engine.Database, job_id: str) -> Sequence[domain_attempts.Attempt]:
    """The attempts of a job that were given up and may still finish."""
    async with db.transaction() as connection:
        return (await attempts.overdue(connection, [job_id])).get(job_id, ())
