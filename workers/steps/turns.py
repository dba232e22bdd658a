"""Whose turn it is: an ask begins only where there is room for it, and what a refusal means for all is told to all."""

from collections.abc import Sequence

import structlog

from shared import clock, logs
from shared.domain import attempts, capacity, decisions, endpoints, faults, planning, routing
from shared.services import asks as ask_services
from shared.services import claims
from workers import context

# Within this time every process has heard of a rejected key, and leaves it out by itself.
HEARD_SECONDS = 15.0

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def begin(
    at: context.Context, claim: claims.Claim, route: routing.Route, asks: Sequence[planning.Ask]
) -> attempts.Attempt:
    """Write down the first attempt for which there is room now. Raises FullError with the time to wait when there is
    none: then nothing was written, and no attempt is lost. Another model is for failures: none is asked just because
    the first has no room.
    """
    waits: list[float] = []
    for ask in asks:
        if ask.candidate.model.id != asks[0].candidate.model.id:
            continue
        seconds = (ask.at - clock.now()).total_seconds()
        if seconds <= 0:
            try:
                return await _begin(at, claim, route, ask.candidate)
            except capacity.FullError as full:
                seconds = full.seconds
        waits.append(seconds)
    raise capacity.FullError(min(waits))


async def _begin(
    at: context.Context, claim: claims.Claim, route: routing.Route, candidate: routing.Candidate
) -> attempts.Attempt:
    number = len(claim.history) + 1
    place = await at.capacity.take(_demand(claim, candidate, number))
    try:
        return await ask_services.begin(
            at.db,
            claim.job,
            candidate,
            place.credential or 0,
            number,
            clock.now(),
            ask_services.Turn(
                place.demand if place.credential is None else None, decisions.store(route, candidate, number)
            ),
        )
    except BaseException:
        await at.capacity.free(place)
        raise


def _demand(claim: claims.Claim, candidate: routing.Candidate, number: int) -> capacity.Demand:
    return capacity.Demand(
        model=candidate.model.id,
        provider=candidate.provider.name,
        slot=f"{claim.job.id}.{number}",
        credentials=candidate.credentials,
        concurrency=candidate.concurrency,
        per_minute=candidate.endpoint.limits.requests_per_minute,
    )


async def learn(at: context.Context, attempt: attempts.Attempt, fault: faults.Fault) -> None:
    """Hold back everybody if the fault concerns the endpoint or the key as such."""
    now = clock.now()
    hold = at.watch.hold_of(fault, attempt.endpoint, attempt.credential, now)
    if hold is None:
        return
    await at.watch.hold(hold)
    seconds = (hold.until_at - now).total_seconds()
    if hold.reason is endpoints.HoldReason.THROTTLED:
        _log.info("endpoint_held", endpoint=attempt.endpoint, seconds=round(seconds))
    else:
        seconds = HEARD_SECONDS
    await at.capacity.hold(attempt.endpoint, attempt.credential, seconds)
