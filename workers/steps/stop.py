"""Ending a job before it is done: its caller cancelled it, or its deadline has passed."""

from datetime import datetime, timedelta

from shared import clock
from shared.domain import jobs, states
from shared.providers import base
from shared.services import claims, completion
from workers import context

# A job that is collecting is paid for: it gets this much longer than its deadline.
COLLECT_GRACE_SECONDS = 3600
_BILLED = {
    base.Cancellation.CONFIRMED: states.Billed.NO,
    base.Cancellation.REQUESTED: states.Billed.UNKNOWN,
    base.Cancellation.TOO_LATE: states.Billed.YES,
    base.Cancellation.UNSUPPORTED: states.Billed.UNKNOWN,
}
_LIVE = frozenset({states.AttemptStatus.ACCEPTED, states.AttemptStatus.OVERDUE})
_UNSURE = frozenset({states.AttemptStatus.SENT, states.AttemptStatus.IN_DOUBT})


def is_due(job: jobs.Job, now: datetime) -> bool:
    """Whether the job must be ended instead of going on."""
    grace = COLLECT_GRACE_SECONDS if job.step is states.Step.COLLECT else 0
    return job.cancel_requested_at is not None or job.deadline_at + timedelta(seconds=grace) <= now


async def stop(at: context.Context, claim: claims.Claim) -> None:
    """Ask the providers to stop, and end the job with what is then known of the bill. Raises LostClaimError."""
    billed = await _stop_upstream(at, claim)
    await completion.end(at.db, claim.job, _ending(claim.job, billed), clock.now())


async def _stop_upstream(at: context.Context, claim: claims.Claim) -> states.Billed:
    """The worst of what the attempts may have cost: yes, else unknown, else no."""
    found = {states.Billed.NO}
    for attempt in claim.history:
        if attempt.status in _LIVE and attempt.upstream_id:
            adapter = at.adapter(attempt.provider, attempt.credential)
            found.add(_BILLED[await adapter.cancel(attempt.upstream_id)])
        elif attempt.status in _UNSURE:
            found.add(states.Billed.UNKNOWN)
        elif attempt.status is states.AttemptStatus.SUCCEEDED or attempt.cost_micros:
            found.add(states.Billed.YES)
    order = (states.Billed.YES, states.Billed.UNKNOWN, states.Billed.NO)
    return next(billed for billed in order if billed in found)


def _ending(job: jobs.Job, billed: states.Billed) -> jobs.Ending:
    if job.cancel_requested_at is not None:
        return jobs.Ending(states.JobStatus.CANCELLED, "cancelled", "Cancelled on request.", billed)
    return jobs.Ending(states.JobStatus.EXPIRED, "deadline_exceeded", "The deadline passed first.", billed)
