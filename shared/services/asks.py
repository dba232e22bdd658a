"""Writing down what a job asks of a provider, before and after, with others that ask at this moment (promise P3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared import ids
from shared.db import asks, claims, engine, events
from shared.db import attempts as attempt_rows
from shared.db import capacity as capacity_rows
from shared.domain import attempts, capacity, decisions, jobs, routing, states
from shared.domain import events as domain_events
from shared.services import attempts as attempt_services
from shared.services import jointly, metrics


@dataclass(frozen=True, slots=True)
class Turn:
    """With `demand` the limits are counted with the attempt. `decision` is kept beside the request."""

    demand: capacity.Demand | None = None
    decision: Mapping[str, Any] | None = None


_FREE_TURN = Turn()


async def begin(
    db: engine.Database,
    job: jobs.Job,
    candidate: routing.Candidate,
    credential: int,
    number: int,
    now: datetime,
    turn: Turn = _FREE_TURN,
) -> attempts.Attempt:
    """Write down the intention to ask this endpoint, and the decision that led to it. Commits. Raises LostClaimError;
    and FullError, if the turn's limits are counted here and there is no room (then the key is chosen here, too).
    If nothing follows, the provider was certainly never asked.
    """
    attempt = attempts.Attempt(
        id=ids.new(ids.Prefix.ATTEMPT),
        job_id=job.id,
        number=number,
        model=candidate.model.id,
        provider=candidate.provider.name,
        upstream_model=candidate.endpoint.upstream_model,
        credential=credential,
        status=states.AttemptStatus.INTENDED,
        reference=f"{job.id}.{number}",
        created_at=now,
    )
    decision = turn.decision if number <= decisions.MOST_DECISIONS else None
    if turn.demand is None:
        return await jointly.do(db, _begin, job.id, asks.Intention(job, attempt, decision))
    async with db.together():
        async with db.transaction() as connection:
            credential = await capacity_rows.admit(connection, turn.demand, now)
        return await jointly.do(
            db, _begin, job.id, asks.Intention(job, replace(attempt, credential=credential), decision)
        )


async def _begin(db: engine.Database, wanted: Sequence[asks.Intention]) -> list[attempts.Attempt | Exception]:
    async with db.single() as connection:
        begun = await asks.begin(connection, wanted)
    return [each.attempt if each.job.id in begun else claims.LostClaimError(each.job.id) for each in wanted]


async def mark_sent(db: engine.Database, job: jobs.Job, attempt: attempts.Attempt, now: datetime) -> attempts.Attempt:
    """Write down that the bytes are about to leave. Commits. Raises LostClaimError, StaleAttemptError.
    From here on, silence means doubt. The first attempt of a job starts it.
    """
    sent = await jointly.do(db, _send, job.id, asks.Sending(job, attempt, now))
    if job.status is states.JobStatus.QUEUED:
        metrics.job_started(job, now)
    return sent


async def _send(db: engine.Database, wanted: Sequence[asks.Sending]) -> list[attempts.Attempt | Exception]:
    async with db.brisk() as connection:
        found = await asks.send(connection, wanted)
        held = [(each, found[each.job.id]) for each in wanted if each.job.id in found]
        told = [_told(connection, each, row) for each, row in held if row["id"] is not None]
        await events.append_all(connection, told)
    return [_sent(each, found[each.job.id]["sent"]) if each.job.id in found else _lost(each.job) for each in wanted]


def _told(connection: engine.Connection, sending: asks.Sending, row: Mapping[str, Any]) -> events.Told:
    shown = {"attempt": sending.attempt.number}
    event = events.about_job(connection, row, domain_events.EventType.JOB_STARTED, sending.now, shown)
    return events.Told(event, row, row["receivers"] or ())


def _sent(sending: asks.Sending, written: str | None) -> attempts.Attempt | Exception:
    if written is None:
        return _stale(sending.attempt, states.AttemptStatus.SENT)
    return replace(sending.attempt, status=states.AttemptStatus.SENT, sent_at=sending.now, ask_count=1)


async def delivered(
    db: engine.Database, job: jobs.Job, win: attempt_services.Win, now: datetime
) -> tuple[jobs.Job, attempts.Attempt]:
    """The provider is done: keep its results, so that a crash never asks for them again. The job stays claimed, to be
    collected by this process at once; answers it and the attempt as they are now. Commits. Raises LostClaimError,
    StaleAttemptError.
    """
    won = asks.Win(job, win.attempt, tuple(win.sources), win.usage, win.upstream_id, now)
    return await jointly.do(db, _win, job.id, won)


async def _win(db: engine.Database, won: Sequence[asks.Win]) -> list[tuple[jobs.Job, attempts.Attempt] | Exception]:
    is_inline = any(source.is_inline for each in won for source in each.sources)
    async with db.brisk() if is_inline else db.single() as connection:
        found = await asks.win(connection, won)
    return [_won(each, found[each.job.id]) if each.job.id in found else _lost(each.job) for each in won]


def _won(win: asks.Win, job: jobs.Job | None) -> tuple[jobs.Job, attempts.Attempt] | Exception:
    if job is None:
        return _stale(win.attempt, states.AttemptStatus.SUCCEEDED)
    attempt = replace(
        win.attempt,
        status=states.AttemptStatus.SUCCEEDED,
        sources=tuple(replace(source, body=None) for source in win.sources),
        usage=win.usage,
        finished_at=win.now,
        upstream_id=win.upstream_id or win.attempt.upstream_id,
    )
    return job, attempt


def _lost(job: jobs.Job) -> Exception:
    return claims.LostClaimError(job.id)


def _stale(attempt: attempts.Attempt, status: states.AttemptStatus) -> Exception:
    return attempt_rows.StaleAttemptError(f"{attempt.id} may not become {status}")
