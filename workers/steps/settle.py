"""Attempts whose outcome was never written down: a cut line, or a process that died (promise P3).

INTENDED: the bytes never left. SENT: K asks again under the same key, L looks first, N stays in doubt.
"""

from datetime import timedelta

import structlog

from shared import clock, logs
from shared.domain import attempts, backoff, faults, models, states
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import claims
from workers import context
from workers.steps import submit

OPEN = frozenset({states.AttemptStatus.INTENDED, states.AttemptStatus.SENT})
ASKS_PER_KEY = 5
# An ask that is still on its way is not found yet; only after this long does "not found" mean "not accepted".
LOOKUP_GRACE_SECONDS = 5.0

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def settle(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    """Find out what became of an attempt that a former process left open. Raises LostClaimError."""
    if attempt.status is states.AttemptStatus.INTENDED:
        await attempt_services.ended_badly(at.db, claim.job, attempt, states.AttemptStatus.NOT_SENT, None, clock.now())
        await at.capacity.give_back(attempt)
        return
    doubt = at.adapter(attempt.provider, attempt.credential).doubt
    _log.warning("settling", attempt=attempt.number, doubt=doubt)
    if doubt is models.Doubt.KEYED:
        again = await attempt_services.mark_asked_again(at.db, claim.job, attempt)
        await submit.send(at, claim, again)
    elif doubt is models.Doubt.SEARCHABLE:
        await _look(at, claim, attempt)
    else:
        await _doubt(at, claim, attempt, "The connection broke after the request was sent.")


async def after_silence(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, message: str) -> None:
    """What to do right after an answer was lost. K and L come back to `settle` after a pause."""
    doubt = at.adapter(attempt.provider, attempt.credential).doubt
    if doubt is models.Doubt.NEITHER or attempt.ask_count >= ASKS_PER_KEY:
        await _doubt(at, claim, attempt, message)
        return
    pause = backoff.retry_seconds(attempt.ask_count, seed=f"{attempt.reference}-{attempt.ask_count}")
    await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now() + timedelta(seconds=pause))


async def _look(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    conclusive_at = (attempt.sent_at or attempt.created_at) + timedelta(seconds=LOOKUP_GRACE_SECONDS)
    if clock.now() < conclusive_at:
        await claims.release(at.db, claim.job, states.Step.SUBMIT, conclusive_at)
        return
    try:
        found = await at.adapter(attempt.provider, attempt.credential).find(attempt.reference)
    except base.LookupFailedError:
        pause = timedelta(seconds=LOOKUP_GRACE_SECONDS)
        await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now() + pause)
        return
    if found is not None:
        await submit.record(at, claim, attempt, found)
        return
    fault = faults.Fault(faults.FaultKind.UNAVAILABLE, "The provider never got the request; it was looked up.")
    await attempt_services.ended_badly(at.db, claim.job, attempt, states.AttemptStatus.NOT_SENT, fault, clock.now())
    await at.capacity.give_back(attempt)


async def _doubt(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, message: str) -> None:
    fault = submit.fault_of_doubt(message)
    await attempt_services.ended_badly(at.db, claim.job, attempt, states.AttemptStatus.IN_DOUBT, fault, clock.now())
    await at.capacity.give_back(attempt)
