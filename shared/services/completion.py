"""Ending jobs. Each end is one transaction: status, attempt, money, outputs, event (promises P1, P2, P4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shared.db import attempts, claims, engine, events, rows
from shared.db import outputs as output_rows
from shared.domain import attempts as domain_attempts
from shared.domain import events as domain_events
from shared.domain import jobs, outputs, states
from shared.services import metrics, reservations

_EVENTS = {
    states.JobStatus.FAILED: domain_events.EventType.JOB_FAILED,
    states.JobStatus.CANCELLED: domain_events.EventType.JOB_CANCELLED,
    states.JobStatus.EXPIRED: domain_events.EventType.JOB_EXPIRED,
}


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
    async with db.transaction() as connection:
        await attempts.note(connection, attempt.id, cost_micros=0 if job.is_test else cost_micros)
        history = await attempts.of_job(connection, job.id)
        if any(source.is_inline for one in history for source in one.sources):
            await attempts.drop_bodies(connection, job.id)
        row = await _end(
            connection,
            job,
            states.JobStatus.COMPLETED,
            now,
            served_model=attempt.model,
            served_provider=attempt.provider,
            progress=100,
            cost_micros=_spent_micros(history),
        )
        # After the fenced write: a ghost learns that its claim is lost, not that its outputs are there already.
        await output_rows.insert_all(connection, stored)
        await reservations.settle(connection, job, history, now)
        await events.append_to(connection, row, job.tenant_id, domain_events.EventType.JOB_COMPLETED, now, {})
    ended = rows.job(row)
    metrics.job_ended(ended)
    metrics.outputs_stored(job.kind, stored)
    metrics.attempt_paid(attempt, cost_micros)
    return ended


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
        await attempts.drop_bodies(connection, job.id)
        history = await attempts.of_job(connection, job.id)
        row = await _end(
            connection,
            job,
            ending.status,
            now,
            error_code=ending.error_code,
            error_message=ending.error_message,
            billed=ending.billed,
            cost_micros=_spent_micros(history),
        )
        await reservations.settle(connection, job, history, now)
        await events.append_to(connection, row, job.tenant_id, _EVENTS[ending.status], now, {})
    ended = rows.job(row)
    metrics.job_ended(ended)
    return ended


async def _end(
    connection: engine.Connection,
    job: jobs.Job,
    status: states.JobStatus,
    now: datetime,
    **values: object,
) -> dict[str, Any]:
    return await claims.write_for_event(
        connection,
        job,
        status=status,
        step=states.Step.DONE,
        lease_owner=None,
        finished_at=now,
        held_micros=0,
        **values,
    )


def _spent_micros(history: Sequence[domain_attempts.Attempt]) -> int:
    return sum(attempt.cost_micros for attempt in history)
