"""What has outlived its purpose: outputs past their time, bytes without a row that wants them, prompts to forget."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import idempotency as idempotency_tables
from shared.db.tables import jobs as job_tables
from shared.db.tables import outputs as output_tables

_O = output_tables.outputs
_JOBS = job_tables.jobs
_A = attempt_tables.attempts
_UNERASED = sa.text("deleted_at IS NOT NULL AND erased_at IS NULL")
_EXPIRING = sa.text("deleted_at IS NULL AND expires_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What upkeep should have done by now and has not, counted up to a cap. Near zero when all is well."""

    expired: int
    unerased: int
    unforgotten: int
    unsettled: int
    stale_keys: int


async def expire(connection: engine.Connection, now: datetime, limit: int) -> list[str]:
    """Mark up to `limit` outputs past their time as deleted; answers the ids of their jobs. What the database itself
    keeps of these jobs' results is dropped as well: a text is in `attempts.sources`.
    """
    due = (
        sa.select(_O.c.id)
        .where(_EXPIRING, _O.c.expires_at <= now)
        .order_by(_O.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    marked = await connection.execute(
        sa.update(_O).where(_O.c.id.in_(due.scalar_subquery())).values(deleted_at=now).returning(_O.c.job_id)
    )
    job_ids = sorted(set(marked.scalars()))
    await _drop_results(connection, job_ids)
    return job_ids


async def unerased(connection: engine.Connection, before: datetime, limit: int) -> list[tuple[str, str]]:
    """Outputs deleted before then whose bytes are still stored: their ids and storage keys."""
    query = sa.select(_O.c.id, _O.c.key).where(_UNERASED, _O.c.deleted_at <= before).order_by(_O.c.deleted_at)
    return [(row.id, row.key) for row in await connection.execute(query.limit(limit))]


async def mark_erased(connection: engine.Connection, output_ids: Sequence[str], now: datetime) -> None:
    """Note that the bytes are gone. May be repeated."""
    await connection.execute(sa.update(_O).where(_O.c.id.in_(output_ids)).values(erased_at=now))


async def mark_collected(
    connection: engine.Connection, tenant_id: str, job_id: str, now: datetime, expires_at: datetime
) -> None:
    """Note on a job with `store: false` that its caller came for its output, which stays until `expires_at`."""
    mine = sa.and_(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id, ~_JOBS.c.store, _JOBS.c.collected_at.is_(None))
    first = await connection.execute(sa.update(_JOBS).where(mine).values(collected_at=now).returning(_JOBS.c.id))
    if first.one_or_none() is not None:
        sooner = sa.func.least(_O.c.expires_at, expires_at)
        await connection.execute(
            sa.update(_O).where(_O.c.tenant_id == tenant_id, _O.c.job_id == job_id).values(expires_at=sooner)
        )


async def forget(connection: engine.Connection, now: datetime, after: timedelta, limit: int) -> list[str]:
    """Drop prompt and result of up to `limit` jobs with `store: false` that were collected, or ended without an
    output, or ended longer than `after` ago; answers their ids.
    """
    done = sa.or_(_JOBS.c.collected_at.is_not(None), _JOBS.c.status != "completed", _JOBS.c.finished_at <= now - after)
    due = (
        sa.select(_JOBS.c.id)
        .where(sa.text(job_tables.UNFORGOTTEN), done)
        .order_by(_JOBS.c.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    marked = await connection.execute(
        sa.update(_JOBS).where(_JOBS.c.id.in_(due.scalar_subquery())).values(forgotten_at=now).returning(_JOBS.c.id)
    )
    job_ids = list(marked.scalars())
    requests = job_tables.requests
    await connection.execute(sa.delete(requests).where(requests.c.job_id.in_(job_ids)))
    await _drop_results(connection, job_ids)
    return job_ids


async def backlog(connection: engine.Connection, now: datetime, after: timedelta, kept: timedelta, cap: int) -> Backlog:
    """How much is overdue, counted up to `cap` each."""
    idempotency = idempotency_tables.idempotency
    queries = (
        sa.select(_O.c.id).where(_EXPIRING, _O.c.expires_at <= now),
        sa.select(_O.c.id).where(_UNERASED),
        sa.select(_JOBS.c.id).where(sa.text(job_tables.UNFORGOTTEN), _JOBS.c.finished_at <= now - after),
        sa.select(_JOBS.c.id).where(sa.text(job_tables.UNSETTLED)),
        sa.select(idempotency.c.key).where(idempotency.c.created_at < now - kept),
    )
    counts = [
        sa.select(sa.func.count()).select_from(query.limit(cap).subquery()).scalar_subquery() for query in queries
    ]
    return Backlog(*(await connection.execute(sa.select(*counts))).one())


async def _drop_results(connection: engine.Connection, job_ids: Sequence[str]) -> None:
    bodies = attempt_tables.attempt_bodies
    of_these = sa.select(_A.c.id).where(_A.c.job_id.in_(job_ids))
    await connection.execute(sa.delete(bodies).where(bodies.c.attempt_id.in_(of_these)))
    await connection.execute(sa.update(_A).where(_A.c.job_id.in_(job_ids)).values(sources=None))
