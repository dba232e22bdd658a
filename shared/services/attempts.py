"""Writing down what is asked of providers, before and after it is asked (promise P3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import attempts, claims, engine
from shared.domain import attempts as domain_attempts
from shared.domain import faults, jobs, outputs, states
from shared.services import metrics

Attempt = domain_attempts.Attempt


_CLEARED = {"fault": None, "fault_message": None, "retry_after_seconds": None}


@dataclass(frozen=True, slots=True)
class Win:
    """An attempt with what its provider delivered; `upstream_id` if it is news."""

    attempt: Attempt
    sources: Sequence[outputs.Source]
    usage: outputs.Usage | None = None
    upstream_id: str | None = None


async def mark_asked_again(db: engine.Database, job: jobs.Job, attempt: Attempt) -> Attempt:
    """Count one more ask under the same key (doubt K only). Commits. Raises LostClaimError."""
    async with db.transaction() as connection:
        await claims.write(connection, job, fence=job.fence)
        await attempts.note(connection, attempt.id, ask_count=attempt.ask_count + 1)
        return (await attempts.by_ids(connection, [attempt.id]))[attempt.id]


async def accepted(
    db: engine.Database, job: jobs.Job, attempt: Attempt, upstream_id: str, poll_at: datetime, now: datetime
) -> None:
    """The provider works on it: keep its id and give the job back until `poll_at`. Commits. Raises LostClaimError."""
    async with db.transaction() as connection:
        await attempts.change(
            connection, attempt.id, states.AttemptStatus.ACCEPTED, upstream_id=upstream_id, accepted_at=now
        )
        await claims.release(connection, job, states.Step.POLL, poll_at)


async def succeeded(db: engine.Database, job: jobs.Job, win: Win, now: datetime) -> None:
    """The provider is done: keep its results, so that a crash never asks for them again, and give the job back,
    due now, to be collected. Commits. Raises LostClaimError.
    """
    async with db.transaction() as connection:
        await _succeed(connection, win, now)
        await claims.release(connection, job, states.Step.COLLECT, now)


async def _succeed(connection: engine.Connection, win: Win, now: datetime, **values: object) -> Attempt:
    found = values | {"finished_at": now} | ({"upstream_id": win.upstream_id} if win.upstream_id else {})
    return await attempts.succeed(connection, win.attempt.id, tuple(win.sources), win.usage, **found)


async def overtaken(
    db: engine.Database, job: jobs.Job, winner: Win, loser: Attempt, loser_status: states.AttemptStatus, now: datetime
) -> None:
    """An attempt given up as stuck has finished before the one that replaced it: it wins, and its results are
    collected. Commits. Raises LostClaimError, StaleAttemptError.
    """
    async with db.transaction() as connection:
        if winner.attempt.status is states.AttemptStatus.IN_DOUBT:
            await attempts.change(connection, winner.attempt.id, states.AttemptStatus.ACCEPTED, accepted_at=now)
        await _succeed(connection, winner, now, **_CLEARED)
        await attempts.change(connection, loser.id, loser_status, finished_at=now)
        await claims.release(connection, job, states.Step.COLLECT, now)


async def resumed(db: engine.Database, job: jobs.Job, attempt: Attempt, now: datetime) -> None:
    """An attempt in doubt was accepted after all, as its provider's callback told: the job waits for it again, and
    polls it now. Commits. Raises LostClaimError, StaleAttemptError.
    """
    async with db.transaction() as connection:
        await attempts.change(
            connection, attempt.id, states.AttemptStatus.ACCEPTED, accepted_at=now, finished_at=None, **_CLEARED
        )
        await claims.write(connection, job, attempt_id=attempt.id)
        await claims.release(connection, job, states.Step.POLL, now)


async def ended_badly(
    db: engine.Database,
    job: jobs.Job,
    attempt: Attempt,
    status: states.AttemptStatus,
    fault: faults.Fault | None,
    now: datetime,
    cost_micros: int = 0,
) -> None:
    """The attempt came to nothing, for `fault` (None: it was never sent). The job is given back, due now, to plan
    its next attempt. Commits. Raises LostClaimError, StaleAttemptError.
    """
    values = {"finished_at": now, "cost_micros": 0 if job.is_test else cost_micros}
    if fault is not None:
        values |= {
            "fault": fault.kind,
            "fault_message": fault.message,
            "retry_after_seconds": fault.retry_after_seconds,
        }
    async with db.transaction() as connection:
        await attempts.change(connection, attempt.id, status, **values)
        await claims.release(connection, job, states.Step.SUBMIT, now)
    metrics.attempt_paid(attempt, cost_micros)


async def collect_again(db: engine.Database, job: jobs.Job, attempt: Attempt, due_at: datetime) -> None:
    """The results could not be fetched or stored now: count the try and come back. Commits. Raises LostClaimError."""
    async with db.transaction() as connection:
        await attempts.note(connection, attempt.id, collect_count=attempt.collect_count + 1)
        await claims.release(connection, job, states.Step.COLLECT, due_at)
