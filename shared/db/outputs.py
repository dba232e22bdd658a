"""Outputs as rows. Reads for callers name the tenant (P6)."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine, prepared, recordsets, rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import outputs as tables
from shared.domain import outputs

_OUTPUTS = tables.outputs
_INSERT = prepared.Prepared(sa.text(recordsets.insert(_OUTPUTS, "outputs")))


async def insert_all(connection: engine.Connection, made: Sequence[outputs.Output]) -> None:
    """Record stored files, in the transaction that completes their jobs. Raises if a number is taken."""
    if made:
        await _INSERT.rows(connection, outputs=recordsets.text(made))


async def of_job(connection: engine.Connection, tenant_id: str, job_id: str) -> list[outputs.Output]:
    """All outputs of a job with their variants, by number; also those that are deleted."""
    return (await of_jobs(connection, tenant_id, [job_id])).get(job_id, [])


async def of_jobs(
    connection: engine.Connection, tenant_id: str, job_ids: Sequence[str]
) -> dict[str, list[outputs.Output]]:
    """The outputs of many jobs in one query, by job id; jobs without any are left out."""
    found = await connection.execute(
        sa.select(_OUTPUTS)
        .where(_OUTPUTS.c.tenant_id == tenant_id, _OUTPUTS.c.job_id.in_(job_ids))
        .order_by(_OUTPUTS.c.job_id, _OUTPUTS.c.number, _OUTPUTS.c.variant)
    )
    by_job: dict[str, list[outputs.Output]] = {}
    for row in found:
        by_job.setdefault(row.job_id, []).append(rows.output(row))
    return by_job


async def mark_deleted(connection: engine.Connection, tenant_id: str, job_id: str, now: datetime) -> list[str]:
    """Mark all outputs of a job as gone and answer their storage keys, also of those marked before.
    What the provider sent inline is forgotten with them. May be repeated.
    """
    marked = await connection.execute(
        sa.update(_OUTPUTS)
        .where(_OUTPUTS.c.tenant_id == tenant_id, _OUTPUTS.c.job_id == job_id)
        .values(deleted_at=sa.func.coalesce(_OUTPUTS.c.deleted_at, now))
        .returning(_OUTPUTS.c.key)
    )
    await _forget_sources(connection, job_id)
    return list(marked.scalars())


async def _forget_sources(connection: engine.Connection, job_id: str) -> None:
    """A text lives in `attempts.sources` as well, and bytes sent inline in `attempt_bodies`: deleted means all."""
    attempts, bodies = attempt_tables.attempts, attempt_tables.attempt_bodies
    of_this_job = sa.select(attempts.c.id).where(attempts.c.job_id == job_id)
    await connection.execute(sa.delete(bodies).where(bodies.c.attempt_id.in_(of_this_job)))
    await connection.execute(sa.update(attempts).where(attempts.c.job_id == job_id).values(sources=None))
