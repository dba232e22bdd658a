"""Ending a job before it is done: its caller cancelled it, or its deadline has passed."""

from datetime import datetime, timedelta

from shared import clock
from shared.domain import attempts, jobs, states
from shared.providers import base
from shared.services import claims, completion
from workers import context
from workers.steps import costs

# A job that is collecting is paid for: it gets this much longer than its deadline.
COLLECT_GRACE_SECONDS = 3600
_BILLED = {
    base.Cancellation.CONFIRMED: states.Billed.NO,
    base.Cancellation.REQUESTED: states.Billed.UNKNOWN,
    base.Cancellation.TOO_LATE: states.Billed.YES,
    base.Cancellation.UNSUPPORTED: states.Billed.UNKNOWN,
}
# An attempt that was not surely stopped may still finish, and be charged: it stays overdue.
_STATUS = {
    base.Cancellation.CONFIRMED: states.AttemptStatus.CANCELLED,
    base.Cancellation.REQUESTED: states.AttemptStatus.OVERDUE,
    base.Cancellation.TOO_LATE: states.AttemptStatus.OVERDUE,
    base.Cancellation.UNSUPPORTED: states.AttemptStatus.OVERDUE,
}


def is_due(job: jobs.Job, now: datetime) -> bool:
    """Whether the job must be ended instead of going on."""
    grace = COLLECT_GRACE_SECONDS if job.step is states.Step.COLLECT else 0
    return job.cancel_requested_at is not None or job.deadline_at + timedelta(seconds=grace) <= now


async def stop(at: context.Context, claim: claims.Claim) -> None:
    """Ask the providers to stop, and end the job with what is then known of the bill. Raises LostClaimError."""
    asked = {
        attempt: await _cancel(at, attempt)
        for attempt in claim.history
        if attempt.status is states.AttemptStatus.ACCEPTED
    }
    given_up = {attempt.id: _STATUS[answer] for attempt, answer in asked.items()}
    bills = [*(_BILLED[answer] for answer in asked.values()), *(attempt.billed for attempt in claim.history)]
    ending = _ending(claim.job, attempts.worst(bills))
    await completion.end(at.db, claim.job, ending, clock.now(), given_up, _bills(at, claim))
    for attempt in asked:
        await at.capacity.give_back(attempt)


def _bills(at: context.Context, claim: claims.Claim) -> dict[str, int]:
    """What results cost that were delivered and not collected yet: they are paid for all the same."""
    delivered = (attempt for attempt in claim.history if attempt.status is states.AttemptStatus.SUCCEEDED)
    return {attempt.id: costs.actual_micros(at, claim, attempt) for attempt in delivered}


async def give_up(at: context.Context, attempt: attempts.Attempt) -> states.AttemptStatus:
    """Ask the provider to stop an accepted attempt; answers what the attempt is then. May be repeated."""
    return _STATUS[await _cancel(at, attempt)]


async def _cancel(at: context.Context, attempt: attempts.Attempt) -> base.Cancellation:
    return await at.adapter(attempt.provider, attempt.credential).cancel(attempt.upstream_id or "")


def _ending(job: jobs.Job, billed: states.Billed) -> jobs.Ending:
    if job.cancel_requested_at is not None:
        return jobs.Ending(states.JobStatus.CANCELLED, "cancelled", "Cancelled on request.", billed)
    return jobs.Ending(states.JobStatus.EXPIRED, "deadline_exceeded", "The deadline passed first.", billed)
