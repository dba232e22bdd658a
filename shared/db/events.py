"""Writing events. Always inside the transaction of the change they tell of."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import failpoints, ids
from shared.db import engine
from shared.db.tables import events as tables
from shared.db.tables import jobs as job_tables
from shared.domain import events


async def of_job(connection: engine.Connection, tenant_id: str, job_id: str) -> list[events.Event]:
    """All events of the tenant's job, in order."""
    table = tables.events
    found = await connection.execute(
        sa.select(table).where(table.c.tenant_id == tenant_id, table.c.job_id == job_id).order_by(table.c.sequence)
    )
    return [
        events.Event(
            row.id, row.tenant_id, row.job_id, events.EventType(row.type), row.sequence, row.created_at, row.data
        )
        for row in found
    ]


async def append(
    connection: engine.Connection,
    job_id: str,
    tenant_id: str,
    event_type: events.EventType,
    now: datetime,
    data: dict[str, Any],
) -> events.Event:
    """Insert the job's next event. The row lock on the job makes its sequence gapless."""
    jobs = job_tables.jobs
    bump = sa.update(jobs).where(jobs.c.id == job_id).values(sequence=jobs.c.sequence + 1).returning(jobs.c.sequence)
    sequence = (await connection.execute(bump)).scalar_one()
    event = events.Event(ids.new(ids.Prefix.EVENT), tenant_id, job_id, event_type, sequence, now, data)
    await connection.execute(
        sa.insert(tables.events).values(
            id=event.id,
            tenant_id=tenant_id,
            job_id=job_id,
            type=event_type,
            sequence=sequence,
            created_at=now,
            data=data,
        )
    )
    failpoints.reach(failpoints.Failpoint.EVENT_WRITTEN)
    return event
