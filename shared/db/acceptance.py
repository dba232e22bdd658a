"""Inserting a job: the job, its request and its first event, in one transaction."""

import sqlalchemy as sa

from shared.db import engine, events, receivers, rows
from shared.db.tables import jobs as tables
from shared.domain import events as domain_events
from shared.domain import jobs, states, turns


async def insert_job(connection: engine.Connection, new: jobs.NewJob) -> jobs.Job:
    """Insert a queued job, due now."""
    inserted = await connection.execute(
        sa.insert(tables.jobs)
        .values(
            id=new.id,
            tenant_id=new.tenant_id,
            key_id=new.key_id,
            is_test=new.is_test,
            kind=new.kind,
            status=states.JobStatus.QUEUED,
            step=states.Step.SUBMIT,
            model=new.model,
            priority=new.priority,
            turn_at=turns.turn_at(new.created_at, new.priority),
            on_doubt=new.on_doubt,
            created_at=new.created_at,
            deadline_at=new.deadline_at,
            due_at=new.created_at,
            ring_at=new.created_at,
            metadata=new.metadata,
            estimate_micros=new.estimate_micros,
            held_micros=new.estimate_micros if new.holds else 0,
            budget_ids=list(new.budget_ids),
            rerun_of=new.rerun_of,
            store=new.store,
            retention_seconds=new.retention_seconds,
            **await _webhook(connection, new),
        )
        .returning(tables.jobs)
    )
    job = rows.job(inserted.one())
    await connection.execute(sa.insert(tables.requests).values(job_id=new.id, body=new.request, prices=new.prices))
    await events.append(connection, new.id, new.tenant_id, domain_events.EventType.JOB_QUEUED, new.created_at, {})
    return job


async def _webhook(connection: engine.Connection, new: jobs.NewJob) -> dict[str, object]:
    if new.webhook is None:
        return {}
    return {
        "webhook_url": new.webhook.url,
        "webhook_events": None if new.webhook.events is None else list(new.webhook.events),
        "webhook_format": new.webhook.format,
        "webhook_receiver_id": await receivers.implicit(connection, new.tenant_id, new.webhook.origin, new.created_at),
    }
