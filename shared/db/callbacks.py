"""What a provider's call changes: at most an upstream id nobody knew, and when the job is looked at next."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import exc

from shared.db import engine, rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import attempts, states

_A, _JOBS = attempt_tables.attempts, tables.jobs


async def attempt(connection: engine.Connection, attempt_id: str) -> attempts.Attempt | None:
    """The attempt a call is about, locked until the transaction ends."""
    found = await connection.execute(sa.select(_A).where(_A.c.id == attempt_id).with_for_update())
    row = found.one_or_none()
    return rows.attempt(row) if row else None


async def discover(connection: engine.Connection, attempt_id: str, upstream_id: str) -> bool:
    """Note under which id the provider has an attempt in doubt; False if it is known, or is another attempt's."""
    try:
        async with connection.begin_nested():
            noted = await connection.execute(
                sa.update(_A)
                .where(
                    _A.c.id == attempt_id,
                    _A.c.status == states.AttemptStatus.IN_DOUBT,
                    _A.c.upstream_id.is_(None),
                )
                .values(upstream_id=upstream_id)
            )
    except exc.IntegrityError:
        return False
    return noted.rowcount > 0


async def make_due(connection: engine.Connection, job_id: str, now: datetime) -> bool:
    """Let the job be looked at now, unless it is over or somebody is at work on it."""
    woken = await connection.execute(
        sa.update(_JOBS)
        .where(
            _JOBS.c.id == job_id,
            _JOBS.c.status.in_(sorted(states.ACTIVE)),
            _JOBS.c.step.in_([states.Step.SUBMIT, states.Step.POLL]),
            _JOBS.c.lease_owner.is_(None),
            _JOBS.c.due_at > now,
        )
        .values(due_at=now, ring_at=now, rings=0)
    )
    return woken.rowcount > 0
