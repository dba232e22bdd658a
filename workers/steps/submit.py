"""Asking a provider: write it down, send it, write down what came of it (DESIGN, life of a job, 3)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from shared import clock, errors, failpoints, logs
from shared.domain import asks, attempts, backoff, capacity, faults, jobs, planning, pricing, routing, states
from shared.outbound import clients, targets
from shared.providers import base
from shared.services import asks as ask_services
from shared.services import attempts as attempt_services
from shared.services import claims, completion, inputs
from workers import context
from workers.steps import collect, settle, stop, turns

# How long after `sent_at` an ask may leave. With the time it travels it must stay below LOOKUP_GRACE_SECONDS.
SEND_SECONDS = 2.0
# A new model may be asked for before every worker has read the catalog that has it.
RELOAD_SECONDS = 1.0
RELOAD_PATIENCE_SECONDS = 30.0
# How often, and for how long after its making, a job waits for a name server to know where its pictures lie.
NAME_SECONDS = 5.0
NAME_PATIENCE_SECONDS = 60.0

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def submit(at: context.Context, claim: claims.Claim) -> None:
    """Settle what a former process left open; else ask the next endpoint, wait for it, or give up."""
    if claim.last is not None and claim.last.status in settle.OPEN:
        await settle.settle(at, claim, claim.last)
        return
    found = next((attempt for attempt in claim.history if _was_discovered(attempt)), None)
    if found is not None:
        await attempt_services.resumed(at.db, claim.job, found, clock.now())
        return
    if _is_ahead_of_us(at, claim):
        await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now() + timedelta(seconds=RELOAD_SECONDS))
        return
    route = _route(at, claim)
    asks_now = planning.next_asks(route, claim.history, _wishes(claim), clock.now())
    if isinstance(asks_now, planning.GiveUp):
        await _give_up(at, claim, asks_now.fault)
        return
    if not await _may_bring_its_pictures(at, claim):
        return
    try:
        await _ask(at, claim, route, asks_now)
    except capacity.FullError as full:
        await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now() + timedelta(seconds=full.seconds))


async def _give_up(at: context.Context, claim: claims.Claim, fault: faults.Fault) -> None:
    billed = attempts.worst(attempt.billed for attempt in claim.history)
    await completion.end(at.db, claim.job, jobs.Ending.of_fault(fault, billed), clock.now())


async def _may_bring_its_pictures(at: context.Context, claim: claims.Claim) -> bool:
    """Whether the pictures lie where we may send a provider. They were vetted when the job was accepted, or its row
    read; but a name may mean another address by now. If not, the job is failed, or put off while no name server
    answers.
    """
    try:
        await inputs.vet(at.guard, claim.request)
    except errors.ForbiddenUrlError as error:
        now, patience = clock.now(), timedelta(seconds=NAME_PATIENCE_SECONDS)
        is_unknown = (error.details or {}).get("rule") == targets.Rule.UNRESOLVABLE
        if is_unknown and now < claim.job.created_at + patience:
            await claims.release(at.db, claim.job, states.Step.SUBMIT, now + timedelta(seconds=NAME_SECONDS))
        else:
            await _give_up(at, claim, faults.Fault(faults.FaultKind.INVALID_INPUT, f"{error.param}: {error.message}"))
        return False
    return True


async def _ask(
    at: context.Context, claim: claims.Claim, route: routing.Route, asks_now: Sequence[planning.Ask]
) -> None:
    attempt = await turns.begin(at, claim, route, asks_now)
    failpoints.reach(failpoints.Failpoint.ATTEMPT_COMMITTED)
    attempt = await ask_services.mark_sent(at.db, claim.job, attempt, clock.now())
    if attempt.number == 1:
        at.news.tell(claim.job.id, claim.job.tenant_id)
    failpoints.reach(failpoints.Failpoint.SENT_COMMITTED)
    await send(at, claim, attempt)


def _is_ahead_of_us(at: context.Context, claim: claims.Claim) -> bool:
    """Whether the job was accepted by a newer catalog than ours: processes read it again within seconds."""
    known = at.shelf.current.models
    young = clock.now() < claim.job.created_at + timedelta(seconds=RELOAD_PATIENCE_SECONDS)
    return young and not any(slug in known for slug in claim.request.asked_models())


def _was_discovered(attempt: attempts.Attempt) -> bool:
    """Whether an attempt in doubt is known to the provider after all: it called back, and gave its id."""
    return attempt.status is states.AttemptStatus.IN_DOUBT and attempt.upstream_id is not None


def _route(at: context.Context, claim: claims.Claim) -> routing.Route:
    catalog, usable = at.shelf.current, at.usable_providers()
    return routing.decide(
        pricing.with_what_is_left(claim.request, sum(attempt.cost_micros for attempt in claim.history)),
        catalog,
        usable & catalog.sandboxes() if claim.job.is_test else usable,
        snapshot=at.watch.current,
        seed=claim.job.id,
        sticky=claim.parent_endpoint,
        asked=[attempt.endpoint for attempt in claim.history],
    )


def _wishes(claim: claims.Claim) -> planning.Wishes:
    return planning.Wishes(claim.job.on_doubt, frozenset(claim.request.fallback_on))


async def send(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    """Send one ask whose `sent_at` is committed, and write down the outcome. No session is open meanwhile.
    Frozen since the commit, a process must not send what its successor has settled: then nothing is sent, and
    LostClaimError is raised if the job is another's now.
    """
    if not at.lease.holds() or clock.now() >= _leave_by(attempt):
        await _give_back_unsent(at, claim, attempt)
        return
    adapter = at.adapter(attempt.provider, attempt.credential)
    with clients.leaving_by(_leave_by(attempt)):
        outcome = await adapter.submit(_ask_of(at, claim, attempt))
    _log.info("asked", attempt=attempt.number, endpoint=attempt.endpoint, outcome=type(outcome).__name__)
    failpoints.reach(failpoints.Failpoint.ANSWER_READ)
    await record(at, claim, attempt, outcome)


async def record(
    at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, outcome: base.SubmitOutcome
) -> None:
    """Write down what a submit came to. Raises LostClaimError."""
    now, status = clock.now(), states.AttemptStatus
    match outcome:
        case base.Accepted():
            poll_at = now + timedelta(seconds=_first_poll_seconds(at, attempt))
            await attempt_services.accepted(at.db, claim.job, attempt, outcome.upstream_id, poll_at, now)
            failpoints.reach(failpoints.Failpoint.UPSTREAM_ID_SAVED)
        case base.Finished():
            win = attempt_services.Win(attempt, outcome.sources, outcome.usage, outcome.upstream_id)
            await _collect(at, claim, win)
        case base.Failed():
            await attempt_services.ended_badly(
                at.db, claim.job, attempt, status.FAILED, outcome.fault, now, outcome.cost_micros
            )
            await turns.learn(at, attempt, outcome.fault)
            await at.capacity.give_back(attempt)
        case base.Refused() | base.NotSent() if attempt.ask_count > 1:
            await settle.after_refused_repeat(at, claim, attempt, outcome.fault)
        case base.Refused():
            await turns.learn(at, attempt, outcome.fault)
            await attempt_services.ended_badly(at.db, claim.job, attempt, status.REFUSED, outcome.fault, now)
            await at.capacity.give_back(attempt)
        case base.NotSent():
            await attempt_services.ended_badly(at.db, claim.job, attempt, status.NOT_SENT, outcome.fault, now)
            await at.capacity.give_back(attempt)
        case base.Unknown():
            await settle.after_silence(at, claim, attempt, outcome.message)


async def _collect(at: context.Context, claim: claims.Claim, win: attempt_services.Win) -> None:
    """Write down what was delivered, and bring it home under the same claim."""
    job, attempt = await ask_services.delivered(at.db, claim.job, win, clock.now())
    failpoints.reach(failpoints.Failpoint.RESULT_SAVED)
    await at.capacity.give_back(attempt)
    earlier = (one for one in claim.history if one.id != attempt.id)
    claim = replace(claim, job=job, history=(*earlier, attempt))
    if at.stopping.is_set() or not at.lease.holds():
        await claims.release(at.db, job, states.Step.COLLECT, clock.now())
    elif stop.is_due(job, clock.now()):
        await stop.stop(at, claim)
    else:
        await collect.collect(at, claim)


async def _give_back_unsent(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    """We, or Postgres, stood still for too long. It is no failure of the provider, so it has no fault. Of a repeat
    under the same key nothing new is known.
    """
    if attempt.ask_count > 1:
        await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now())
        return
    await attempt_services.ended_badly(at.db, claim.job, attempt, states.AttemptStatus.NOT_SENT, None, clock.now())
    await at.capacity.give_back(attempt)


def _leave_by(attempt: attempts.Attempt) -> datetime:
    """A process that is frozen here loses its claim, and its successor looks the attempt up: an ask that left after
    that would be paid for and forgotten. A repeat under the same key can do no harm, whenever it leaves.
    """
    if attempt.ask_count > 1 or attempt.sent_at is None:
        return clock.now() + timedelta(seconds=SEND_SECONDS)
    return attempt.sent_at + timedelta(seconds=SEND_SECONDS)


def _ask_of(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> base.Ask:
    model = at.shelf.current.models[attempt.model]
    offer = next((offer for offer in model.endpoints if offer.provider == attempt.provider), None)
    return base.Ask(
        kind=claim.job.kind,
        upstream_model=attempt.upstream_model,
        request=asks.without(claim.request, offer),
        reference=attempt.reference,
        pixels=asks.pixels(model, claim.request),
        seconds=asks.seconds(model, claim.request),
        callback_url=at.callbacks.url(attempt.id),
        route=offer.route if offer else "",
        options=offer.options if offer else {},
    )


def _first_poll_seconds(at: context.Context, attempt: attempts.Attempt) -> float:
    model = at.shelf.current.models.get(attempt.model)
    return backoff.poll_seconds(0, model.usual_seconds if model else 10.0, attempt.reference)


def fault_of_doubt(message: str) -> faults.Fault:
    """What callers read about an attempt nobody can be sure of."""
    return faults.Fault(faults.FaultKind.IN_DOUBT, f"{message} Whether the provider accepted it cannot be known.")
