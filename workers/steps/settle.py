"""Attempts whose outcome was never written down: a cut line, or a process that died (promise P3).

INTENDED: the bytes never left. SENT: K asks again under the same key, L looks first, N stays in doubt.
"""

from datetime import timedelta

import structlog

from shared import clock, logs
from shared.domain import attempts, backoff, doubts, faults, models, states
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import claims
from workers import context
from workers.steps import submit

OPEN = frozenset({states.AttemptStatus.INTENDED, states.AttemptStatus.SENT})
# How long a provider that is away is waited for, to learn what became of an ask it may have accepted. Longer, and a
# job whose caller allows another ask would stand still for nothing.
PATIENCE = timedelta(seconds=120)
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
    if doubt is models.Doubt.NEITHER or attempt.ask_count >= doubts.ASKS_PER_KEY:
        await _doubt(at, claim, attempt, message)
    else:
        await _come_back(at, claim, attempt)


async def after_refused_repeat(
    at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, fault: faults.Fault
) -> None:
    """What to do when an ask under the same key is refused, or does not arrive, after an earlier answer was lost. No
    refusal proves that the earlier ask was not accepted: some providers answer a key in use as invalid input
    (409, 422). One that is away or busy is waited for, however often it says so.
    """
    waiting = clock.now() < (attempt.sent_at or attempt.created_at) + PATIENCE
    if waiting and faults.CONSEQUENCES[fault.kind].retryable:
        await _come_back(at, claim, attempt, fault.retry_after_seconds or 0.0)
    else:
        await after_silence(at, claim, attempt, f"An answer was lost, and then: {fault.message}")


async def _come_back(
    at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, at_least_seconds: float = 0.0
) -> None:
    usual = backoff.retry_seconds(attempt.ask_count, seed=f"{attempt.reference}-{attempt.ask_count}")
    pause = max(usual, at_least_seconds)
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
