"""What a job does next, given what its attempts came to. Pure: the heart of retry and fallback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain import attempts, backoff, faults, routing, states

TRIES_PER_ENDPOINT = 3
THROTTLED_TRIES_PER_ENDPOINT = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this endpoint, not before `at`."""

    candidate: routing.Candidate
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody is left to ask: the job fails for this reason."""

    fault: faults.Fault


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller said about failures."""

    on_doubt: states.OnDoubt
    fallback_on: frozenset[faults.FaultKind] = frozenset()


History = Sequence[attempts.Attempt]


def next_ask(route: routing.Route, history: History, wishes: Wishes, now: datetime) -> Ask | GiveUp:
    """The endpoint that failed least often so far, in the route's order; a pause only before asking one again.

    Attempts without a fault (ours that were never sent) do not count. Throttling hardly counts: the work waits.
    """
    asks = next_asks(route, history, wishes, now)
    return asks if isinstance(asks, GiveUp) else asks[0]


def next_asks(route: routing.Route, history: History, wishes: Wishes, now: datetime) -> list[Ask] | GiveUp:
    """All that may be asked next, the best first (at least one): when it has no room, the next is as good."""
    failed = [attempt for attempt in history if attempt.fault is not None]
    last = failed[-1] if failed else None
    if last is not None and _ends_the_job(last, wishes):
        return GiveUp(_fault_of(last))
    open_ones = [c for c in route.candidates if _may_be_asked(_at(c, failed), wishes)]
    if not open_ones:
        return GiveUp(_fault_of(last) if last else _nobody())
    open_ones.sort(key=lambda candidate: len(_at(candidate, failed)))
    return [Ask(candidate, _not_before(_at(candidate, failed), now)) for candidate in open_ones]


# These concern a key, not the endpoint: with another key it may be asked again.
_OF_A_KEY = frozenset({faults.FaultKind.AUTH, faults.FaultKind.OUT_OF_CREDIT})


def _at(candidate: routing.Candidate, failed: History) -> History:
    return [
        attempt
        for attempt in failed
        if attempt.endpoint == candidate.name
        and not (
            attempt.fault in _OF_A_KEY and candidate.credentials and attempt.credential not in candidate.credentials
        )
    ]


def _ends_the_job(last: attempts.Attempt, wishes: Wishes) -> bool:
    if last.fault is None or last.fault in wishes.fallback_on:
        return False
    if last.fault is faults.FaultKind.IN_DOUBT:
        return wishes.on_doubt is states.OnDoubt.FAIL
    consequence = faults.CONSEQUENCES[last.fault]
    return not (consequence.retryable or consequence.falls_back)


def _may_be_asked(failed_here: History, wishes: Wishes) -> bool:
    kinds = [attempt.fault for attempt in failed_here if attempt.fault is not None]
    if not all(_retryable(kind, wishes) for kind in kinds):
        return False
    throttled = kinds.count(faults.FaultKind.THROTTLED)
    return len(kinds) - throttled < TRIES_PER_ENDPOINT and throttled < THROTTLED_TRIES_PER_ENDPOINT


def _retryable(kind: faults.FaultKind, wishes: Wishes) -> bool:
    if kind is faults.FaultKind.IN_DOUBT:
        return wishes.on_doubt is states.OnDoubt.RETRY
    return faults.CONSEQUENCES[kind].retryable


def _not_before(failed_here: History, now: datetime) -> datetime:
    if not failed_here:
        return now
    last = failed_here[-1]
    pause = backoff.retry_seconds(len(failed_here), seed=last.reference)
    since = last.finished_at or last.created_at
    return max(now, since + timedelta(seconds=max(pause, last.retry_after_seconds or 0.0)))


def _fault_of(attempt: attempts.Attempt) -> faults.Fault:
    kind = attempt.fault or faults.FaultKind.UNAVAILABLE
    return faults.Fault(kind, attempt.fault_message or kind.value)


def _nobody() -> faults.Fault:
    return faults.Fault(faults.FaultKind.NOT_FOUND, "No endpoint can serve this request any more.")
