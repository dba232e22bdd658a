"""Claiming jobs: conditional updates with an owner and a fence. A doubled or late doorbell finds nothing here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.db import engine, prepared, recordsets, rows
from shared.db.tables import jobs as tables
from shared.db.tables import metadata
from shared.db.tables import processes as process_tables
from shared.domain import jobs, states

RING_AGAIN_SECONDS = 5.0
LONGEST_RING_SECONDS = 60.0
OVERDUE_BATCH = 500

_JOBS = tables.jobs
_ACTIVE = _JOBS.c.status.in_(sorted(states.ACTIVE))
_WORK = _JOBS.c.step.in_([states.Step.SUBMIT, states.Step.COLLECT])


class LostClaimError(Exception):
    """Another process has claimed this job since; whatever this one learned is not written."""


# How long a statement about many jobs waits for a row that somebody holds: the others wait with it. A commit that
# takes its time, of whoever has a budget's row, is no reason to let each go by itself.
PATIENCE = "500ms"
# Whose job it is now: who writes to a claimed job names its fence and itself.
FENCED = "jobs.fence = given.fence AND jobs.lease_owner = given.lease_owner"
# As a column of `given`: it is set once, before the first lock is taken, and counts until the transaction ends; without
# one, for this statement.
_PATIENCE = "(SELECT set_config('lock_timeout', :patience, true)) AS patience"


def _claim() -> prepared.Prepared:
    """Whoever takes many locks them in one order: of two that want the same, none waits for the other in a circle."""
    work = ", ".join(f"'{step}'" for step in (states.Step.SUBMIT, states.Step.COLLECT))
    return prepared.Prepared(
        sa.text(f"""
            WITH given AS MATERIALIZED (
              SELECT given.*, {_PATIENCE}
              FROM {recordsets.shaped("given", id="text", owner="text", moment="timestamptz")}
            ), free AS MATERIALIZED (
              SELECT given.* FROM jobs JOIN given ON jobs.id = given.id
              WHERE jobs.id = ANY(ARRAY(SELECT id FROM given)) AND jobs.lease_owner IS NULL
                AND {tables.ACTIVE} AND step IN ({work}) AND jobs.due_at <= given.moment
              ORDER BY jobs.id FOR NO KEY UPDATE OF jobs
            ), taken AS (
              UPDATE jobs SET lease_owner = free.owner, fence = jobs.fence + 1 FROM free
              WHERE jobs.id = free.id AND jobs.id = ANY(ARRAY(SELECT id FROM free)) RETURNING jobs.*
            )
            SELECT taken.*, requests.body, requests.prices FROM taken
            LEFT JOIN requests ON requests.job_id = taken.id AND requests.job_id = ANY(ARRAY(SELECT id FROM free))
            """)  # noqa: S608 - our own words; the values are parameters
    )


_CLAIM = _claim()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job to be claimed by `owner`, if it is due at `moment`."""

    id: str
    owner: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that was claimed, and its request (empty if it was forgotten) with the prices it was accepted at."""

    job: jobs.Job
    body: dict[str, Any]
    prices: dict[str, dict[str, str]]


async def claim(connection: engine.Connection, wanted: Sequence[Wanted]) -> dict[str, Taken]:
    """Take those of these jobs that are due and that nobody holds, in one statement. None is wanted twice."""
    taken = await _CLAIM.rows(connection, given=recordsets.text(wanted), patience=PATIENCE)
    return {row["id"]: Taken(rows.job(row), row["body"] or {}, row["prices"] or {}) for row in taken}


def still_held(**columns: str) -> str:
    """The beginning of a statement about claimed jobs. `given` is its parameter of that name: id, fence and lease_owner
    of each, and these `columns`. `held` are those of them whose claim is still theirs who give it, locked in one order;
    the parameter `patience` is how long any lock is waited for, until the transaction ends.
    """
    shape = recordsets.shaped("given", id="text", fence="bigint", lease_owner="text", **columns)
    return f"""
        WITH given AS MATERIALIZED (SELECT given.*, {_PATIENCE} FROM {shape}),
        held AS MATERIALIZED (
          SELECT given.* FROM jobs JOIN given ON jobs.id = given.id
          WHERE jobs.id = ANY(ARRAY(SELECT id FROM given)) AND {FENCED} ORDER BY jobs.id FOR NO KEY UPDATE OF jobs
        )"""  # noqa: S608 - our own words; the values are parameters


def given(job: jobs.Job, **values: object) -> dict[str, object]:
    """One row of that parameter."""
    return {"id": job.id, "fence": job.fence, "lease_owner": job.lease_owner, **values}


async def claim_poll(connection: engine.Connection, job_id: str, attempt_id: str, owner: str) -> jobs.Job | None:
    """Take a job that waits for this attempt and that nobody holds; None if there is nothing to take."""
    taken = await connection.execute(
        sa.update(_JOBS)
        .where(
            _JOBS.c.id == job_id,
            _JOBS.c.attempt_id == attempt_id,
            _JOBS.c.step == states.Step.POLL,
            _JOBS.c.lease_owner.is_(None),
        )
        .values(lease_owner=owner, fence=_JOBS.c.fence + 1)
        .returning(_JOBS)
    )
    row = taken.one_or_none()
    return rows.job(row) if row else None


async def write(connection: engine.Connection, job: jobs.Job, **values: Any) -> jobs.Job:  # noqa: ANN401 - columns
    """Write to a claimed job. Raises LostClaimError if the claim is no longer this process's."""
    return rows.job(await _write(connection, job, values))


async def _write(connection: engine.Connection, job: jobs.Job, values: Mapping[str, Any]) -> sa.Row[Any]:
    changed = await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id == job.id, _JOBS.c.fence == job.fence, _JOBS.c.lease_owner == job.lease_owner)
        .values(**values)
        .returning(_JOBS)
    )
    row: sa.Row[Any] | None = changed.one_or_none()
    if row is None:
        raise LostClaimError(job.id)
    return row


async def release(connection: engine.Connection, job: jobs.Job, step: states.Step, due_at: datetime) -> jobs.Job:
    """Give a claimed job back, to go on with `step` at `due_at`. A cancel that came meanwhile makes it due now.
    One that has not begun is parked until then: it had its turn.
    """
    due = sa.case((_JOBS.c.cancel_requested_at.is_not(None), sa.func.least(due_at, sa.func.now())), else_=due_at)
    has_not_begun = sa.and_(_JOBS.c.status == states.JobStatus.QUEUED, due > sa.func.now())
    rings = sa.case((has_not_begun, tables.PARKED), else_=0)
    return await write(connection, job, lease_owner=None, step=step, due_at=due, ring_at=due, rings=rings)


def _free(*wanted: sa.ColumnElement[bool] | sa.TextClause) -> sa.ScalarSelect[str]:
    """The ids of these jobs, locked in one order. Those whose rows somebody holds are left for the next time: one of
    them must not keep all others waiting, nor whoever looks after them.
    """
    found = sa.select(_JOBS.c.id).where(*wanted).order_by(_JOBS.c.id)
    return found.with_for_update(key_share=True, skip_locked=True).scalar_subquery()


async def release_dead(connection: engine.Connection) -> list[str]:
    """Give back what silent processes hold; answers the ids of their jobs. Rows that are held are left out."""
    processes = process_tables.processes
    alive = sa.select(processes.c.id).where(processes.c.lease_until_at > sa.func.now())
    freed = await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id.in_(_free(_JOBS.c.lease_owner.is_not(None), _JOBS.c.lease_owner.not_in(alive))))
        .values(lease_owner=None, due_at=sa.func.now(), ring_at=sa.func.now(), rings=0)
        .returning(_JOBS.c.id)
    )
    return list(freed.scalars())


async def held(connection: engine.Connection, owner: str) -> dict[str, int]:
    """The jobs a process holds, with their fences."""
    found = await connection.execute(sa.select(_JOBS.c.id, _JOBS.c.fence).where(_JOBS.c.lease_owner == owner))
    return {row.id: row.fence for row in found}


async def drop(connection: engine.Connection, owner: str, fences: Mapping[str, int], due_at: datetime) -> None:
    """Give back claims that were dropped, to be done again at `due_at`. Claims made since are left alone, and rows that
    are held.
    """
    dropped = sa.tuple_(_JOBS.c.id, _JOBS.c.fence).in_(list(fences.items()))
    await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id.in_(_free(dropped, _JOBS.c.lease_owner == owner)))
        .values(lease_owner=None, due_at=due_at, ring_at=due_at, rings=0)
    )


def _ring() -> prepared.Prepared:
    now = sa.bindparam("now", type_=metadata.Moment)
    due = (
        sa.select(_JOBS.c.id)
        .where(sa.text(tables.RUNNING), _JOBS.c.ring_at <= now)
        .order_by(_JOBS.c.ring_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
    )
    pause = sa.func.least(
        RING_AGAIN_SECONDS * sa.func.pow(2, sa.func.least(sa.func.greatest(_JOBS.c.rings, 0), 10)), LONGEST_RING_SECONDS
    )
    return prepared.Prepared(
        sa.update(_JOBS)
        .where(_JOBS.c.id.in_(due.scalar_subquery()))
        .values(
            ring_at=now + sa.func.make_interval(0, 0, 0, 0, 0, 0, pause), rings=sa.func.greatest(_JOBS.c.rings, 0) + 1
        )
        .returning(_JOBS.c.id, _JOBS.c.rings)
    )


_RING = _ring()


async def ring(connection: engine.Connection, now: datetime, limit: int) -> list[tuple[str, int]]:
    """The jobs that wait for nobody's turn and are to be rung for now, with how often each was rung before. Each is
    rung again later, until it is claimed: after 5 s, 10 s … a minute. (New jobs: db/turns.py.)
    """
    return [(row["id"], row["rings"] - 1) for row in await _RING.rows(connection, now=now, most=limit)]


async def unring(connection: engine.Connection, job_ids: Sequence[str], again_at: datetime) -> None:
    """The doorbells of these jobs could not be sent: it does not count, and they are rung for again soon. Otherwise
    a long outage of the broker would be followed by a long silence. Rows that are held are left out.
    """
    await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id.in_(_free(_JOBS.c.id.in_(job_ids), sa.text(tables.RUNNING))))
        .values(ring_at=again_at, rings=sa.func.greatest(_JOBS.c.rings - 1, 1))
    )


_DUE_POLLS = prepared.Prepared(
    sa.text(
        "SELECT count(*) FROM (SELECT 1 FROM jobs "
        "WHERE step = 'poll' AND lease_owner IS NULL AND due_at <= :now LIMIT :most) AS due"
    )
)
_NEXT_DUE = prepared.Prepared(
    sa.text(
        f"SELECT least((SELECT min(ring_at) FROM jobs WHERE {tables.RUNNING}), "  # noqa: S608 - our own words
        f"(SELECT ring_at FROM jobs WHERE {tables.WAITING} LIMIT 1), "
        "(SELECT min(due_at) FROM jobs WHERE lease_owner IS NULL AND step = 'poll')) AS moment"
    )
)


async def count_due_polls(connection: engine.Connection, now: datetime, cap: int) -> int:
    """How many polls are due, counted up to `cap`."""
    [row] = await _DUE_POLLS.rows(connection, now=now, most=cap)
    return int(row["count"])


async def next_due(connection: engine.Connection) -> datetime | None:
    """When the next doorbell or poll falls due, if any job waits at all."""
    [row] = await _NEXT_DUE.rows(connection)
    moment: datetime | None = row["moment"]
    return moment


async def make_overdue_due(connection: engine.Connection, now: datetime, collect_grace_seconds: int) -> list[str]:
    """Wake jobs whose deadline has passed, so that a worker ends them. A job that is collecting is paid for
    already, and gets `collect_grace_seconds` more. Those still waiting for their turn are woken some at a time. Rows
    that are held are left out.
    """
    grace = timedelta(seconds=collect_grace_seconds)
    passed = sa.or_(
        sa.and_(_JOBS.c.step != states.Step.COLLECT, _JOBS.c.deadline_at <= now),
        _JOBS.c.deadline_at <= now - grace,
    )
    asleep = _free(_ACTIVE, _JOBS.c.deadline_at <= now, passed, _JOBS.c.lease_owner.is_(None), _JOBS.c.due_at > now)
    woken = await connection.execute(
        sa.update(_JOBS).where(_JOBS.c.id.in_(asleep)).values(due_at=now, ring_at=now, rings=0).returning(_JOBS.c.id)
    )
    waiting = (
        sa.select(_JOBS.c.id)
        .where(sa.text(tables.WAITING), _ACTIVE, _JOBS.c.deadline_at <= now)
        .order_by(_JOBS.c.deadline_at)
        .limit(OVERDUE_BATCH)
        .with_for_update(skip_locked=True)
    )
    rung = await connection.execute(
        sa.update(_JOBS)
        .where(_JOBS.c.id.in_(waiting.scalar_subquery()))
        .values(ring_at=now, rings=1)
        .returning(_JOBS.c.id)
    )
    return [*woken.scalars(), *rung.scalars()]
