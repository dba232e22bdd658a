"""Reading jobs of several tenants at once, each for its own caller: every pair names the tenant (P6)."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, prepared, rows
from shared.db import jobs as job_rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.db.tables import outputs as output_tables
from shared.domain import attempts, jobs, outputs, states

_JOBS, _A, _O = tables.jobs, attempt_tables.attempts, output_tables.outputs
# A tenant and the id of one of its jobs.
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A job; and, while it is queued, its place among its tenant's, counted up to QUEUE_POSITION_CAP."""

    job: jobs.Job
    queue_position: int | None


def _statement() -> sa.Select[tuple[object, ...]]:
    asked, ahead = _pairs(), _JOBS.alias("ahead")
    before = (
        sa.select(sa.literal(1).label("one"))
        .where(
            ahead.c.tenant_id == _JOBS.c.tenant_id,
            # The words of the index (tables/jobs.py).
            sa.text("ahead.status = 'queued' AND ahead.priority >= 0"),
            sa.tuple_(ahead.c.turn_at, ahead.c.id) < sa.tuple_(_JOBS.c.turn_at, _JOBS.c.id),
        )
        .limit(job_rows.QUEUE_POSITION_CAP - 1)
        .correlate(_JOBS)
        .lateral()
    )
    counted = sa.select(sa.func.count() + 1).select_from(before).correlate(_JOBS).scalar_subquery()
    position = sa.case((_JOBS.c.status == states.JobStatus.QUEUED, counted)).label("queue_position")
    mine = sa.and_(_JOBS.c.tenant_id == asked.c.tenant_id, _JOBS.c.id == asked.c.id)
    return sa.select(_JOBS, position).join_from(asked, _JOBS, mine)


def _pairs() -> sa.TableValuedAlias:
    arrays = [sa.bindparam(name, type_=pg.ARRAY(sa.Text)) for name in ("tenants", "ids")]
    columns = (sa.column("tenant_id", sa.Text), sa.column("id", sa.Text))
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="asked")


_SEEN = prepared.Prepared(_statement())
_ATTEMPTS = prepared.Prepared(
    sa.select(_A).where(_A.c.job_id == prepared.any_of("ids")).order_by(_A.c.job_id, _A.c.number)
)
_OF_PAIR = _pairs()
_OUTPUTS = prepared.Prepared(
    sa.select(_O)
    .join_from(_OF_PAIR, _O, sa.and_(_O.c.tenant_id == _OF_PAIR.c.tenant_id, _O.c.job_id == _OF_PAIR.c.id))
    .order_by(_O.c.job_id, _O.c.number, _O.c.variant)
)


async def jobs_of(connection: engine.Connection, asked: Sequence[Pair]) -> dict[Pair, Seen]:
    """Those of these jobs that are the tenant's it was asked for."""
    found = await _SEEN.rows(connection, **_values(asked))
    seen = [Seen(rows.job(row), row["queue_position"]) for row in found]
    return {(one.job.tenant_id, one.job.id): one for one in seen}


async def attempts_of(connection: engine.Connection, job_ids: Sequence[str]) -> dict[str, list[attempts.Attempt]]:
    """The attempts of jobs that were seen, by job id, in the order they were made."""
    found: dict[str, list[attempts.Attempt]] = {}
    for row in await _ATTEMPTS.rows(connection, ids=list(job_ids)):
        found.setdefault(row["job_id"], []).append(rows.attempt(row))
    return found


async def outputs_of(connection: engine.Connection, asked: Sequence[Pair]) -> dict[str, list[outputs.Output]]:
    """The outputs of jobs of these tenants, by job id, with their variants; also those that are deleted."""
    found: dict[str, list[outputs.Output]] = {}
    for row in await _OUTPUTS.rows(connection, **_values(asked)):
        found.setdefault(row["job_id"], []).append(rows.output(row))
    return found


def _values(asked: Sequence[Pair]) -> dict[str, list[str]]:
    # Each once: a job that several ask for is one row.
    once = sorted(set(asked))
    return {"tenants": [tenant_id for tenant_id, _ in once], "ids": [job_id for _, job_id in once]}
