"""Reading one tenant's jobs, and the small writes its callers may ask for. Every query names the tenant (P6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import jobs, listings, models, states

QUEUE_POSITION_CAP = 1000

_JOBS = tables.jobs


async def get(
    connection: engine.Connection, tenant_id: str, job_id: str, *, for_update: bool = False
) -> jobs.Job | None:
    """The tenant's job, or None. `for_update` locks the row until the transaction ends."""
    query = sa.select(_JOBS).where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id)
    if for_update:
        query = query.with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return rows.job(row) if row else None


async def page(
    connection: engine.Connection,
    tenant_id: str,
    wanted: listings.JobFilter,
    after_id: str | None,
    limit: int,
) -> list[jobs.Job]:
    """Up to `limit` jobs, those after `after_id` in the order wanted. Ids sort by the time they were made."""
    conditions = [_JOBS.c.tenant_id == tenant_id, *_conditions(wanted)]
    if after_id is not None:
        conditions.append(_JOBS.c.id > after_id if wanted.oldest_first else _JOBS.c.id < after_id)
    order = _JOBS.c.id.asc() if wanted.oldest_first else _JOBS.c.id.desc()
    found = await connection.execute(sa.select(_JOBS).where(*conditions).order_by(order).limit(limit))
    return [rows.job(row) for row in found]


def _conditions(wanted: listings.JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.kind is not None:
        conditions.append(_JOBS.c.kind == wanted.kind)
    if wanted.statuses:
        conditions.append(_JOBS.c.status.in_(sorted(wanted.statuses)))
    if wanted.model is not None:
        conditions.append(_JOBS.c.model == wanted.model)
    if wanted.provider is not None:
        conditions.append(_JOBS.c.served_provider == wanted.provider)
    if wanted.created_after is not None:
        conditions.append(_JOBS.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(_JOBS.c.created_at < wanted.created_before)
    if wanted.deleted is not None:
        conditions.append(_JOBS.c.deleted_at.is_not(None) if wanted.deleted else _JOBS.c.deleted_at.is_(None))
    if wanted.metadata:
        conditions.append(_JOBS.c.metadata.contains(dict(wanted.metadata)))
    return conditions


async def queue_position(connection: engine.Connection, tenant_id: str, job: jobs.Job) -> int:
    """How many of the tenant's queued jobs go before this one, plus one; counted up to QUEUE_POSITION_CAP."""
    ahead = (
        sa.select(sa.literal(1).label("one"))
        .where(
            _JOBS.c.tenant_id == tenant_id,
            sa.text(tables.QUEUED),
            sa.tuple_(_JOBS.c.turn_at, _JOBS.c.id) < sa.tuple_(job.turn_at, job.id),
        )
        .limit(QUEUE_POSITION_CAP - 1)
        .subquery()
    )
    counted = await connection.execute(sa.select(sa.func.count()).select_from(ahead))
    return counted.scalar_one() + 1


async def count_queued(connection: engine.Connection, tenant_id: str, model: str) -> int:
    """How many of the tenant's queued jobs ask for this model; counted up to QUEUE_POSITION_CAP."""
    queued = (
        sa.select(sa.literal(1).label("one"))
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.status == states.JobStatus.QUEUED, _JOBS.c.model == model)
        .limit(QUEUE_POSITION_CAP)
        .subquery()
    )
    return (await connection.execute(sa.select(sa.func.count()).select_from(queued))).scalar_one()


async def request_body(connection: engine.Connection, tenant_id: str, job_id: str) -> dict[str, Any] | None:
    """The request as it was accepted (`requests.parse` reads it), or None if the tenant has no such job."""
    stored = await stored_request(connection, tenant_id, job_id)
    return stored.body if stored else None


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The request as it was accepted, and what each endpoint (by name) asked for then, by unit."""

    body: dict[str, Any]
    prices: dict[str, dict[str, str]]


async def stored_request(connection: engine.Connection, tenant_id: str, job_id: str) -> StoredRequest | None:
    """The request with its prices, or None if the tenant has no such job, or it was forgotten."""
    bodies = tables.requests
    found = await connection.execute(
        sa.select(bodies.c.body, bodies.c.prices)
        .join(_JOBS, _JOBS.c.id == bodies.c.job_id)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id)
    )
    row = found.one_or_none()
    return StoredRequest(row.body, row.prices) if row else None


async def prompts(
    connection: engine.Connection, tenant_id: str, job_ids: Sequence[str], characters: int
) -> dict[str, str]:
    """The beginning of each job's prompt, by job id; a conversation's is its last turn."""
    bodies = tables.requests
    last_turn = bodies.c.body["messages"][-1]["content"].astext
    text = sa.func.coalesce(bodies.c.body["prompt"].astext, last_turn, "")
    found = await connection.execute(
        sa.select(bodies.c.job_id, sa.func.left(text, characters).label("prompt"))
        .join(_JOBS, _JOBS.c.id == bodies.c.job_id)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id.in_(job_ids))
    )
    return {row.job_id: row.prompt for row in found}


async def note_decision(connection: engine.Connection, job_id: str, decision: Mapping[str, Any]) -> None:
    """Keep a decision of the router's beside the request."""
    bodies = tables.requests
    await connection.execute(
        sa.update(bodies)
        .where(bodies.c.job_id == job_id)
        .values(route=bodies.c.route.op("||")(sa.cast([decision], pg.JSONB)))
    )


async def decisions(connection: engine.Connection, tenant_id: str, job_id: str) -> list[dict[str, Any]]:
    """The router's decisions for a job of the tenant's, the first attempt's first (`decisions.read` reads each)."""
    bodies = tables.requests
    found = await connection.execute(
        sa.select(bodies.c.route)
        .join(_JOBS, _JOBS.c.id == bodies.c.job_id)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id)
    )
    return list(found.scalar_one_or_none() or [])


async def served_endpoint(connection: engine.Connection, tenant_id: str, job_id: str) -> str | None:
    """The endpoint that made the outputs of a job of the tenant's, if one did."""
    found = await connection.execute(
        sa.select(_JOBS.c.served_model, _JOBS.c.served_provider).where(
            _JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id
        )
    )
    row = found.one_or_none()
    return models.endpoint_name(row[0], row[1]) if row and row[0] and row[1] else None


async def request_bodies(
    connection: engine.Connection, tenant_id: str, job_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The requests of many of the tenant's jobs in one query, by job id."""
    bodies = tables.requests
    found = await connection.execute(
        sa.select(bodies.c.job_id, bodies.c.body)
        .join(_JOBS, _JOBS.c.id == bodies.c.job_id)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id.in_(job_ids))
    )
    return {row.job_id: row.body for row in found}


async def cancel_untouched(
    connection: engine.Connection, tenant_id: str, job_id: str, now: datetime
) -> jobs.Job | None:
    """Cancel a queued job that nobody has claimed and for which nobody was asked; None if that is not so.
    The fence grows, so that no claim from before can write to it.
    """
    asked = sa.exists().where(attempt_tables.attempts.c.job_id == _JOBS.c.id)
    changed = await connection.execute(
        sa.update(_JOBS)
        .where(
            _JOBS.c.tenant_id == tenant_id,
            _JOBS.c.id == job_id,
            _JOBS.c.status == states.JobStatus.QUEUED,
            _JOBS.c.lease_owner.is_(None),
            _JOBS.c.attempt_id.is_(None),
            ~asked,
        )
        .values(
            status=states.JobStatus.CANCELLED,
            step=states.Step.DONE,
            billed=states.Billed.NO,
            cancel_requested_at=sa.func.coalesce(_JOBS.c.cancel_requested_at, now),
            finished_at=now,
            held_micros=0,
            fence=_JOBS.c.fence + 1,
        )
        .returning(_JOBS)
    )
    row = changed.one_or_none()
    return rows.job(row) if row else None


async def ask_to_cancel(connection: engine.Connection, tenant_id: str, job_id: str, now: datetime) -> jobs.Job | None:
    """Note the wish on a job that is not over, and make the job due, so that a worker carries it out.
    None if it is over. May be repeated: the first time of asking is kept.
    """
    changed = await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id, _JOBS.c.status.in_(sorted(states.ACTIVE)))
        .values(
            cancel_requested_at=sa.func.coalesce(_JOBS.c.cancel_requested_at, now),
            due_at=sa.func.least(_JOBS.c.due_at, now),
            ring_at=now,
            rings=0,
        )
        .returning(_JOBS)
    )
    row = changed.one_or_none()
    return rows.job(row) if row else None


async def mark_deleted(connection: engine.Connection, tenant_id: str, job_id: str, now: datetime) -> jobs.Job | None:
    """Note on a job that is over that its outputs are gone; None if there is no such job. May be repeated."""
    changed = await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.tenant_id == tenant_id, _JOBS.c.id == job_id, _JOBS.c.status.in_(sorted(states.TERMINAL)))
        .values(deleted_at=sa.func.coalesce(_JOBS.c.deleted_at, now))
        .returning(_JOBS)
    )
    row = changed.one_or_none()
    return rows.job(row) if row else None


async def lock_unsettled(connection: engine.Connection, job_ids: Sequence[str]) -> list[jobs.Job]:
    """Jobs that are over, as they were before their hold was set to 0 here; they stay locked until the commit."""
    query = sa.select(_JOBS).where(_JOBS.c.id.in_(job_ids), sa.text(tables.UNSETTLED)).order_by(_JOBS.c.id)
    found = [rows.job(row) for row in await connection.execute(query.with_for_update())]
    await connection.execute(sa.update(_JOBS).where(_JOBS.c.id.in_([j.id for j in found])).values(held_micros=0))
    return found


async def go_on(
    connection: engine.Connection, job_id: str, step: states.Step, due_at: datetime, attempt_id: str, now: datetime
) -> None:
    """Make a job that was just inserted one that has been asked for already (by a slice of a batch)."""
    await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id == job_id, _JOBS.c.status == states.JobStatus.QUEUED)
        .values(
            status=states.JobStatus.IN_PROGRESS,
            started_at=now,
            step=step,
            due_at=due_at,
            ring_at=due_at,
            attempt_id=attempt_id,
        )
    )
