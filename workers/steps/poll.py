"""Asking a provider what became of an attempt, and acting on it. A poll that fails never fails its job.

Asking needs no claim, as it changes nothing. Whoever learns that the job goes on claims it then: of two that asked at
the same time, one wins.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from shared import clock, failpoints, logs
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.domain import attempts, backoff, endpoints, faults, polls, states
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import claims
from shared.services import polls as poll_services
from workers import context
from workers.steps import stop, turns

MOST_PAUSE_SECONDS = 300.0
_STUCK = faults.Fault(faults.FaultKind.TIMED_OUT, "The provider accepted it and did not finish in time.")

_log: structlog.stdlib.BoundLogger = logs.get(__name__)

Act = Callable[[context.Context, claims.Claim], Awaitable[None]]


def pause_seconds(at: context.Context, due: polls.Due) -> float:
    """How long after this poll the next one comes."""
    model = at.shelf.current.models.get(due.model)
    return backoff.poll_seconds(due.poll_count + 1, model.usual_seconds if model else 10.0, due.reference)


async def poll(at: context.Context, due: polls.Due) -> polls.Answer | None:
    """Ask once. Answers what there is to note of a job that is still waited for; None when its state was changed here,
    or by somebody else meanwhile. May be repeated, and raced.
    """
    try:
        if due.must_end(clock.now()):
            await _claimed(at, due, stop.stop)
            return None
        outcome = await at.adapter(due.provider, due.credential).poll(due.upstream_id)
        failpoints.reach(failpoints.Failpoint.POLLED)
        if due.has_others and not isinstance(outcome, base.Finished) and await _overtaken(at, due):
            return None
        if isinstance(outcome, base.Finished | base.Failed):
            await _write(at, due, outcome)
            return None
        if _is_stuck(at, due):
            await _claimed(at, due, _give_up_waiting)
            return None
    except (claim_rows.LostClaimError, attempt_rows.StaleAttemptError):
        _log.warning("claim_lost", job_id=due.job_id)
        return None
    return _answer(due, outcome)


def _answer(due: polls.Due, outcome: base.Running | base.PollLost) -> polls.Answer:
    odd = outcome.odd_status if isinstance(outcome, base.Running) else None
    if odd is not None:
        _log.warning("odd_status", endpoint=due.endpoint, status=odd[:40])
    # 100 is for jobs whose output is stored.
    progress = min(outcome.progress or 0, 99) if isinstance(outcome, base.Running) else 0
    pause = outcome.retry_after_seconds
    not_before = None if pause is None else clock.now() + timedelta(seconds=min(pause, MOST_PAUSE_SECONDS))
    return polls.Answer(due, progress if progress > due.progress else None, not_before)


async def _write(at: context.Context, due: polls.Due, outcome: base.Finished | base.Failed) -> None:
    """Claim the job and write down that its attempt is over, in one transaction."""
    async with at.db.together():
        claim = await claims.claim_poll(at.db, due.job_id, due.attempt_id, at.process_id)
        if claim is None:
            return
        attempt, now = _asked(claim, due), clock.now()
        if isinstance(outcome, base.Finished):
            win = attempt_services.Win(attempt, outcome.sources, outcome.usage)
            await attempt_services.succeeded(at.db, claim.job, win, now)
        else:
            failed = states.AttemptStatus.FAILED
            await attempt_services.ended_badly(
                at.db, claim.job, attempt, failed, outcome.fault, now, outcome.cost_micros
            )
    if isinstance(outcome, base.Finished):
        failpoints.reach(failpoints.Failpoint.RESULT_SAVED)
    else:
        await turns.learn(at, attempt, outcome.fault)
    await at.capacity.give_back(attempt)
    _tell(at, due)


async def _claimed(at: context.Context, due: polls.Due, act: Act) -> None:
    """Claim the job and do what needs calls outside, with the claim in hand."""
    # Whoever claims without a lease loses the claim to the next sweep.
    claim = await claims.claim_poll(at.db, due.job_id, due.attempt_id, at.process_id) if at.lease.holds() else None
    if claim is None:
        return
    failpoints.reach(failpoints.Failpoint.CLAIMED)
    with at.hand.holding({due.job_id: claim.job.fence}):
        await act(at, claim)
    await at.capacity.give_back(_asked(claim, due))
    _tell(at, due)


async def _overtaken(at: context.Context, due: polls.Due) -> bool:
    """Whether an attempt given up as stuck, or in doubt, has finished after all: then it wins."""
    for attempt in await poll_services.others(at.db, due.job_id):
        outcome = await at.adapter(attempt.provider, attempt.credential).poll(attempt.upstream_id or "")
        if isinstance(outcome, base.Finished):
            winner = attempt_services.Win(attempt, outcome.sources, outcome.usage)

            async def let_win(at: context.Context, claim: claims.Claim) -> None:
                await _let_win(at, claim, winner, _asked(claim, due))  # noqa: B023 - the loop ends here

            await _claimed(at, due, let_win)
            return True
    return False


async def _let_win(
    at: context.Context, claim: claims.Claim, winner: attempt_services.Win, loser: attempts.Attempt
) -> None:
    status = await stop.give_up(at, loser)
    await attempt_services.overtaken(at.db, claim.job, winner, loser, status, clock.now())
    _log.info("overtaken", job_id=claim.job.id, winner=winner.attempt.number, loser=loser.number)


async def _give_up_waiting(at: context.Context, claim: claims.Claim) -> None:
    """The job goes on elsewhere; the stuck attempt is cancelled where that is possible."""
    stuck = next(attempt for attempt in claim.history if attempt.id == claim.job.attempt_id)
    status = await stop.give_up(at, stuck)
    await attempt_services.ended_badly(at.db, claim.job, stuck, status, _STUCK, clock.now())


def _is_stuck(at: context.Context, due: polls.Due) -> bool:
    model = at.shelf.current.models.get(due.model)
    offer = next((offer for offer in model.endpoints if offer.provider == due.provider), None) if model else None
    if model is None or offer is None or due.accepted_at is None:
        return False
    limit = endpoints.stuck_seconds(offer.limits, model.usual_seconds, at.watch.current.of(due.endpoint))
    return clock.now() - due.accepted_at > timedelta(seconds=limit)


def _asked(claim: claims.Claim, due: polls.Due) -> attempts.Attempt:
    return next(attempt for attempt in claim.history if attempt.id == due.attempt_id)


def _tell(at: context.Context, due: polls.Due) -> None:
    at.news.tell(due.job_id, due.tenant_id)
    at.hints.give()
