"""Attempts in doubt, for whoever runs the installation."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import states


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One attempt of which nobody can know whether it was accepted, and how its job stands."""

    attempt_id: str
    job_id: str
    tenant_id: str
    number: int
    provider: str
    model: str
    reference: str
    sent_at: datetime | None
    message: str | None
    job_status: states.JobStatus


async def newest(connection: engine.Connection, limit: int) -> list[Doubtful]:
    """The newest attempts in doubt, of all tenants."""
    attempts, jobs = attempt_tables.attempts, tables.jobs
    found = await connection.execute(
        sa.select(attempts, jobs.c.tenant_id, jobs.c.status.label("job_status"))
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .where(attempts.c.status == states.AttemptStatus.IN_DOUBT)
        .order_by(attempts.c.id.desc())
        .limit(limit)
    )
    return [
        Doubtful(
            row.id,
            row.job_id,
            row.tenant_id,
            row.number,
            row.provider,
            row.model,
            row.reference,
            row.sent_at,
            row.fault_message,
            states.JobStatus(row.job_status),
        )
        for row in found
    ]
