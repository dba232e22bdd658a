"""Inserting a job: the job, its request and its first event, in one transaction."""

from typing import Any

import sqlalchemy as sa

from shared.db import engine, events, receivers, rows
from shared.db.tables import jobs as tables
from shared.domain import events as domain_events
from shared.domain import jobs, states, turns


async def insert_job(connection: engine.Connection, new: jobs.NewJob) -> jobs.Job:
    """Insert a queued job, due now."""
    receiver_id = None
    if new.webhook is not None:
        receiver_id = await receivers.implicit(connection, new.tenant_id, new.webhook.origin, new.created_at)
    inserted = await connection.execute(
        sa.insert(tables.jobs).values(job_values(new, receiver_id)).returning(tables.jobs)
    )
    job = rows.job(inserted.one())
    await connection.execute(sa.insert(tables.requests).values(job_id=new.id, body=new.request, prices=new.prices))
    await events.append(connection, new.id, new.tenant_id, domain_events.EventType.JOB_QUEUED, new.created_at, {})
    return job


def job_values(new: jobs.NewJob, receiver_id: str | None) -> dict[str, Any]:
    """The columns of a new job, always the same ones. `receiver_id` stands for the origin of its own URL, if any."""
    webhook = new.webhook
    return {
        "id": new.id,
        "tenant_id": new.tenant_id,
        "key_id": new.key_id,
        "is_test": new.is_test,
        "kind": new.kind,
        "status": states.JobStatus.QUEUED,
        "step": states.Step.SUBMIT,
        "model": new.model,
        "priority": new.priority,
        "turn_at": turns.turn_at(new.created_at, new.priority),
        "on_doubt": new.on_doubt,
        "created_at": new.created_at,
        "deadline_at": new.deadline_at,
        "due_at": new.created_at,
        "ring_at": new.created_at,
        "metadata": new.metadata,
        "estimate_micros": new.estimate_micros,
        "held_micros": new.held_micros,
        "budget_ids": list(new.budget_ids),
        "rerun_of": new.rerun_of,
        "store": new.store,
        "retention_seconds": new.retention_seconds,
        "webhook_url": webhook.url if webhook else None,
        "webhook_events": list(webhook.events) if webhook and webhook.events is not None else None,
        "webhook_format": webhook.format if webhook else None,
        "webhook_receiver_id": receiver_id,
    }
