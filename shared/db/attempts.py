"""Attempts as rows. Every change names the statuses it may come from (domain/states.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from shared.db import engine, prepared, rows
from shared.db.tables import attempts as tables
from shared.domain import attempts, outputs, states

_A = tables.attempts


class StaleAttemptError(Exception):
    """The attempt is not in a status from which this change is allowed."""


async def insert_all(connection: engine.Connection, made: Sequence[attempts.Attempt]) -> None:
    """Write down attempts as they are. For those that jobs are about to make, see db/asks.py."""
    names = [column.name for column in _A.columns if column.name not in ("sources", "usage")]
    await connection.execute(sa.insert(_A), [{name: getattr(attempt, name) for name in names} for attempt in made])


async def change(
    connection: engine.Connection,
    attempt_id: str,
    status: states.AttemptStatus,
    **values: Any,  # noqa: ANN401 - columns
) -> attempts.Attempt:
    """Move an attempt to `status`. Raises StaleAttemptError when it may not go there from where it is."""
    changed = await connection.execute(
        sa.update(_A)
        .where(_A.c.id == attempt_id, _A.c.status.in_(sorted(states.sources_of(status))))
        .values(status=status, **values)
        .returning(_A)
    )
    row = changed.one_or_none()
    if row is None:
        raise StaleAttemptError(f"{attempt_id} may not become {status}")
    return rows.attempt(row)


async def note(connection: engine.Connection, attempt_id: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Write counters and times that change no status."""
    await connection.execute(sa.update(_A).where(_A.c.id == attempt_id).values(**values))


async def of_job(connection: engine.Connection, job_id: str) -> list[attempts.Attempt]:
    """All attempts of a job, in the order they were made."""
    return (await of_jobs(connection, [job_id])).get(job_id, [])


_OF_JOBS = prepared.Prepared(sa.select(_A).where(_A.c.job_id == prepared.any_of("jobs")).order_by(_A.c.number))


async def of_jobs(connection: engine.Connection, job_ids: Sequence[str]) -> dict[str, list[attempts.Attempt]]:
    """All attempts of these jobs, by job id, in the order they were made; jobs without any are left out."""
    found: dict[str, list[attempts.Attempt]] = {}
    for row in await _OF_JOBS.rows(connection, jobs=list(job_ids)):
        found.setdefault(row["job_id"], []).append(rows.attempt(row))
    return found


async def overdue(connection: engine.Connection, job_ids: list[str]) -> dict[str, list[attempts.Attempt]]:
    """Attempts that were given up and may still finish, by job: stuck, or in doubt until their provider called."""
    discovered = sa.and_(_A.c.status == states.AttemptStatus.IN_DOUBT, _A.c.upstream_id.is_not(None))
    found = await connection.execute(
        sa.select(_A).where(_A.c.job_id.in_(job_ids), sa.or_(_A.c.status == states.AttemptStatus.OVERDUE, discovered))
    )
    by_job: dict[str, list[attempts.Attempt]] = {}
    for row in found:
        by_job.setdefault(row.job_id, []).append(rows.attempt(row))
    return by_job


async def by_ids(connection: engine.Connection, attempt_ids: list[str]) -> dict[str, attempts.Attempt]:
    """Many attempts at once, by id."""
    found = await connection.execute(sa.select(_A).where(_A.c.id.in_(attempt_ids)))
    return {row.id: rows.attempt(row) for row in found}


async def succeed(
    connection: engine.Connection,
    attempt_id: str,
    sources: tuple[outputs.Source, ...],
    usage: outputs.Usage | None,
    **values: Any,  # noqa: ANN401 - columns
) -> attempts.Attempt:
    """Move an attempt to `succeeded` and keep what the provider answered, bytes and all, so that a crash after this
    never asks again. Raises StaleAttemptError.
    """
    told = {"sources": [rows.source(source) for source in sources], "usage": asdict(usage) if usage else None}
    changed = await change(connection, attempt_id, states.AttemptStatus.SUCCEEDED, **told, **values)
    await keep_bodies(connection, {attempt_id: sources})
    return changed


async def keep_bodies(connection: engine.Connection, delivered: Mapping[str, Sequence[outputs.Source]]) -> None:
    """Keep what came inline as results of these attempts, by attempt id."""
    bodies = [
        {"attempt_id": attempt_id, "number": number, "body": source.body}
        for attempt_id, sources in delivered.items()
        for number, source in enumerate(sources)
        if source.body is not None
    ]
    if bodies:
        await connection.execute(sa.insert(tables.attempt_bodies), bodies)


async def body(connection: engine.Connection, attempt_id: str, number: int) -> bytes:
    """The bytes a provider sent inline as its `number`-th result."""
    bodies = tables.attempt_bodies
    found = await connection.execute(
        sa.select(bodies.c.body).where(bodies.c.attempt_id == attempt_id, bodies.c.number == number)
    )
    return bytes(found.scalar_one())
