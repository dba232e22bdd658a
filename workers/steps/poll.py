"""Polling many jobs at once on the process's loop. A poll that fails never fails its job."""

import asyncio
from datetime import timedelta

import structlog

from shared import clock, failpoints, logs
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import polls as poll_rows
from shared.domain import attempts, backoff, endpoints, faults, states
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import claims, polls
from workers import context
from workers.steps import stop, turns

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def poll_due(at: context.Context) -> int:
    """Poll what is due, up to a batch, and write it back; answers how many were taken. May be repeated."""
    if not at.lease.holds():
        return 0
    due = await polls.take(at.db, at.process_id, clock.now(), at.settings.poll_batch_size)
    failpoints.reach(failpoints.Failpoint.CLAIMED)
    with at.hand.holding({item.job.id: item.job.fence for item in due}):
        found = await asyncio.gather(*(_poll(at, item) for item in due), return_exceptions=True)
        running = [item for item in found if isinstance(item, poll_rows.Progress)]
        changed = await polls.give_back(at.db, at.process_id, running, clock.now())
    for item in found:
        if isinstance(item, BaseException):
            # Its claim is not in hand any more, so the next heartbeats give it back.
            _log.error("poll_broke", error=type(item).__name__, exc_info=item)
    for polled, outcome in zip(due, found, strict=True):
        if outcome is None or polled.job.id in changed:
            at.news.tell(polled.job.id, polled.job.tenant_id)
    if due:
        at.hints.give()
    return len(due)


async def _poll(at: context.Context, due: polls.DuePoll) -> poll_rows.Progress | None:
    """The job's progress if it is still running; None if its state was changed here."""
    try:
        if stop.is_due(due.job, clock.now()):
            await stop.stop(at, await claims.reload(at.db, due.job))
            return None
        outcome, latecomer = await asyncio.gather(_ask(at, due.attempt), _latecomer(at, due))
        if latecomer is not None and not isinstance(outcome, base.Finished):
            await _let_win(at, due, latecomer)
            return None
        failpoints.reach(failpoints.Failpoint.POLLED)
        running = await _written(at, due, outcome)
    except (claim_rows.LostClaimError, attempt_rows.StaleAttemptError):
        _log.warning("claim_lost", job_id=due.job.id)
        return None
    if running is None:
        await at.capacity.give_back(due.attempt)
    return running


async def _ask(at: context.Context, attempt: attempts.Attempt) -> base.PollOutcome:
    return await at.adapter(attempt.provider, attempt.credential).poll(attempt.upstream_id or "")


async def _latecomer(at: context.Context, due: polls.DuePoll) -> attempt_services.Win | None:
    """An attempt given up as stuck, or in doubt, that has finished after all."""
    for attempt in due.overdue:
        outcome = await _ask(at, attempt)
        if isinstance(outcome, base.Finished):
            return attempt_services.Win(attempt, outcome.sources, outcome.usage)
    return None


async def _let_win(at: context.Context, due: polls.DuePoll, winner: attempt_services.Win) -> None:
    status = await stop.give_up(at, due.attempt)
    await attempt_services.overtaken(at.db, due.job, winner, due.attempt, status, clock.now())
    await at.capacity.give_back(due.attempt)
    _log.info("overtaken", job_id=due.job.id, winner=winner.attempt.number, loser=due.attempt.number)


async def _written(at: context.Context, due: polls.DuePoll, outcome: base.PollOutcome) -> poll_rows.Progress | None:
    now = clock.now()
    match outcome:
        case base.Finished():
            await attempt_services.succeeded(at.db, due.job, due.attempt, outcome.sources, outcome.usage, None, now)
        case base.Failed():
            await attempt_services.ended_badly(
                at.db, due.job, due.attempt, states.AttemptStatus.FAILED, outcome.fault, now, outcome.cost_micros
            )
            await turns.learn(at, due.attempt, outcome.fault)
        case base.Running() | base.PollLost() if _is_stuck(at, due):
            await _give_up_waiting(at, due)
        case base.Running():
            if outcome.odd_status is not None:
                _log.warning("odd_status", endpoint=due.attempt.endpoint, status=outcome.odd_status[:40])
            return _running(at, due, outcome.progress, outcome.retry_after_seconds)
        case base.PollLost():
            return _running(at, due, None, outcome.retry_after_seconds)
    return None


def _running(
    at: context.Context, due: polls.DuePoll, progress: int | None, retry_after_seconds: float | None
) -> poll_rows.Progress:
    model = at.shelf.current.models.get(due.attempt.model)
    usual = model.usual_seconds if model else 10.0
    pause = backoff.poll_seconds(due.attempt.poll_count + 1, usual, due.attempt.reference)
    due_at = clock.now() + timedelta(seconds=max(pause, min(retry_after_seconds or 0.0, 300.0)))
    return poll_rows.Progress(
        job_id=due.job.id,
        fence=due.job.fence,
        attempt_id=due.attempt.id,
        # 100 is for jobs whose output is stored.
        progress=None if progress is None else max(0, min(progress, 99)),
        due_at=min(due_at, max(due.job.deadline_at, clock.now())),
    )


def _is_stuck(at: context.Context, due: polls.DuePoll) -> bool:
    model = at.shelf.current.models.get(due.attempt.model)
    offers = [offer for offer in model.endpoints if offer.provider == due.attempt.provider] if model else []
    if not offers or due.attempt.accepted_at is None:
        return False
    health, usual = at.watch.current.of(due.attempt.endpoint), model.usual_seconds if model else 10.0
    limit = endpoints.stuck_seconds(offers[0].limits, usual, health)
    return clock.now() - due.attempt.accepted_at > timedelta(seconds=limit)


async def _give_up_waiting(at: context.Context, due: polls.DuePoll) -> None:
    """The job goes on elsewhere; the stuck attempt is cancelled where that is possible."""
    status = await stop.give_up(at, due.attempt)
    fault = faults.Fault(faults.FaultKind.TIMED_OUT, "The provider accepted it and did not finish in time.")
    await attempt_services.ended_badly(at.db, due.job, due.attempt, status, fault, clock.now())
