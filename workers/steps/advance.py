"""One job, one step after the other, until there is nothing to do now. A doubled doorbell finds nothing to claim."""

import asyncio
from collections.abc import Sequence

import structlog

from shared import clock, failpoints, logs, tracing
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.domain import states
from shared.services import claims
from workers import context
from workers.steps import collect, stop, submit

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def run_all(at: context.Context, job_ids: Sequence[str]) -> None:
    """Carry these jobs on, each by itself, and no more at a time than this process may. Raises what went wrong with
    any of them, when all are through.
    """
    done = await asyncio.gather(*(_run_in_turn(at, job_id) for job_id in job_ids), return_exceptions=True)
    errors = [error for error in done if isinstance(error, BaseException)]
    if errors:
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup("jobs", errors)


async def _run_in_turn(at: context.Context, job_id: str) -> None:
    async with at.room:
        await run(at, job_id)


async def run(at: context.Context, job_id: str) -> None:
    """Claim the job, do its step, and go on while it is due and ours to take. May be repeated at any time."""
    structlog.contextvars.bind_contextvars(job_id=job_id)
    try:
        # Whoever claims without a lease loses the claim to the next sweep.
        while at.lease.holds() and not at.stopping.is_set():
            claim = await claims.claim(at.db, job_id, at.process_id, clock.now())
            if claim is None:
                return
            failpoints.reach(failpoints.Failpoint.CLAIMED)
            with at.hand.holding({job_id: claim.job.fence}), tracing.span(f"job.{claim.job.step}", job_id):
                await step(at, claim)
            at.news.tell(job_id, claim.job.tenant_id)
    except (claim_rows.LostClaimError, attempt_rows.StaleAttemptError) as error:
        # Somebody else has the job now; whatever we learned is theirs to learn again.
        _log.warning("claim_lost", error=type(error).__name__)
    finally:
        at.hints.give()


async def step(at: context.Context, claim: claims.Claim) -> None:
    """Do what a claimed job needs next, and give it back or end it. Raises LostClaimError."""
    if stop.is_due(claim.job, clock.now()):
        await stop.stop(at, claim)
    elif claim.job.step is states.Step.COLLECT:
        await collect.collect(at, claim)
    else:
        await submit.submit(at, claim)
