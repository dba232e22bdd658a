"""Inserting a job: the job, its request, its first event and its idempotency record, in one transaction."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, events, receivers, rows
from shared.db.tables import idempotency as idempotency_tables
from shared.db.tables import jobs as tables
from shared.domain import events as domain_events
from shared.domain import jobs, states


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an Idempotency-Key was used for before."""

    fingerprint: str
    job_id: str


async def insert_job(connection: engine.Connection, new: jobs.NewJob) -> jobs.Job:
    """Insert a queued job, due now."""
    inserted = await connection.execute(
        sa.insert(tables.jobs)
        .values(
            id=new.id,
            tenant_id=new.tenant_id,
            kind=new.kind,
            status=states.JobStatus.QUEUED,
            step=states.Step.SUBMIT,
            model=new.model,
            priority=new.priority,
            on_doubt=new.on_doubt,
            created_at=new.created_at,
            deadline_at=new.deadline_at,
            due_at=new.created_at,
            ring_at=new.created_at,
            metadata=new.metadata,
            estimate_micros=new.estimate_micros,
            rerun_of=new.rerun_of,
            **await _webhook(connection, new),
        )
        .returning(tables.jobs)
    )
    job = rows.job(inserted.one())
    await connection.execute(sa.insert(tables.requests).values(job_id=new.id, body=new.request))
    await events.append(connection, new.id, new.tenant_id, domain_events.EventType.JOB_QUEUED, new.created_at, {})
    return job


async def _webhook(connection: engine.Connection, new: jobs.NewJob) -> dict[str, object]:
    if new.webhook is None:
        return {}
    return {
        "webhook_url": new.webhook.url,
        "webhook_events": None if new.webhook.events is None else list(new.webhook.events),
        "webhook_receiver_id": await receivers.implicit(connection, new.tenant_id, new.webhook.origin, new.created_at),
    }


async def remember(connection: engine.Connection, new: jobs.NewJob, key: str, fingerprint: str) -> Remembered | None:
    """Bind the key to this job; or, if it is bound already, answer to what. A racing transaction with the same
    key waits here until the first has committed (the unique row), then sees its job.
    """
    table = idempotency_tables.idempotency
    bound = await connection.execute(
        pg.insert(table)
        .values(
            tenant_id=new.tenant_id,
            key=key,
            fingerprint=fingerprint,
            job_id=new.id,
            created_at=new.created_at,
        )
        .on_conflict_do_nothing()
        .returning(table.c.key)
    )
    if bound.one_or_none() is not None:
        return None
    found = await connection.execute(
        sa.select(table.c.fingerprint, table.c.job_id).where(table.c.tenant_id == new.tenant_id, table.c.key == key)
    )
    row = found.one()
    return Remembered(row.fingerprint, row.job_id)
