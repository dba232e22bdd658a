"""Ending jobs. Each end is one transaction: status, attempt, money, outputs, event (promises P1, P2, P4). Jobs that are
completed at the same moment share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shared.db import attempts, claims, completion, engine, events, rows
from shared.db import outputs as output_rows
from shared.domain import attempts as domain_attempts
from shared.domain import events as domain_events
from shared.domain import jobs, outputs, states
from shared.services import jointly, metrics, reservations

_EVENTS = {
    states.JobStatus.COMPLETED: domain_events.EventType.JOB_COMPLETED,
    states.JobStatus.FAILED: domain_events.EventType.JOB_FAILED,
    states.JobStatus.CANCELLED: domain_events.EventType.JOB_CANCELLED,
    states.JobStatus.EXPIRED: domain_events.EventType.JOB_EXPIRED,
}
_PATIENCE = f"{engine.LOCK_SECONDS}s"


@dataclass(frozen=True, slots=True)
class _Completion:
    end: completion.End
    now: datetime


async def complete(
    db: engine.Database,
    job: jobs.Job,
    attempt: domain_attempts.Attempt,
    stored: Sequence[outputs.Output],
    cost_micros: int,
    now: datetime,
) -> jobs.Job:
    """Record the outputs, which are in storage and were opened, and end the job as completed. Commits.
    Raises LostClaimError; then nothing is recorded.
    """
    completed = states.JobStatus.COMPLETED
    end = completion.End(job, completed, attempt=attempt, cost_micros=cost_micros, stored=stored)
    ended = await jointly.do(db, _complete, job.id, _Completion(end, now))
    metrics.job_ended(ended)
    metrics.outputs_stored(job.kind, stored)
    metrics.attempt_paid(attempt, cost_micros)
    return ended


async def _complete(db: engine.Database, wanted: Sequence[_Completion]) -> list[jobs.Job | Exception]:
    async with db.brisk() as connection:
        # One moment for all: the money of a group belongs into one window of a budget.
        now = max(each.now for each in wanted)
        ended = await _end(connection, [each.end for each in wanted], now, claims.PATIENCE)
    return [ended.get(each.end.job.id) or claims.LostClaimError(each.end.job.id) for each in wanted]


async def end(
    db: engine.Database,
    job: jobs.Job,
    ending: jobs.Ending,
    now: datetime,
    given_up: Mapping[str, states.AttemptStatus] = MappingProxyType({}),
    costs_micros: Mapping[str, int] = MappingProxyType({}),
) -> jobs.Job:
    """End the job as failed, cancelled or expired, with the reason and what is known of the bill; `given_up` says
    what its running attempts have become, `costs_micros` what attempts cost that delivered and were not collected.
    Commits. Raises LostClaimError.
    """
    async with db.transaction() as connection:
        for attempt_id, micros in costs_micros.items():
            await attempts.note(connection, attempt_id, cost_micros=0 if job.is_test else micros)
        for attempt_id, status in given_up.items():
            await attempts.change(connection, attempt_id, status, finished_at=now)
        ended = (await _end(connection, [completion.End(job, ending.status, ending)], now, _PATIENCE)).get(job.id)
        if ended is None:
            raise claims.LostClaimError(job.id)
    metrics.job_ended(ended)
    return ended


async def _end(
    connection: engine.Connection, ends: Sequence[completion.End], now: datetime, patience: str
) -> dict[str, jobs.Job]:
    """The jobs that were still claimed, as they are now."""
    ended = await completion.end(connection, ends, now, patience)
    still = [each for each in ends if each.job.id in ended]
    # After the fenced write: a ghost learns that its claim is lost, not that its outputs are there already.
    await output_rows.insert_all(connection, [output for each in still for output in each.stored])
    await events.append_all(connection, [_told(connection, each, ended[each.job.id], now) for each in still])
    history = await attempts.of_jobs(connection, list(ended))
    await reservations.settle(connection, [(each.job, history.get(each.job.id, ())) for each in still], now)
    return {job_id: rows.job(row) for job_id, row in ended.items()}


def _told(connection: engine.Connection, end: completion.End, row: Mapping[str, Any], now: datetime) -> events.Told:
    event = events.about_job(connection, row, _EVENTS[end.status], now, {}, end.stored)
    return events.Told(event, row, row["receivers"] or ())
