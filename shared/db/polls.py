"""Writing back many polls at once."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import states


@dataclass(frozen=True, slots=True)
class Progress:
    """A poll that found the job still running."""

    job_id: str
    fence: int
    attempt_id: str
    progress: int | None
    due_at: datetime


async def give_back(connection: engine.Connection, owner: str, found: list[Progress]) -> list[str]:
    """Give all these jobs back with their next poll's time, in one statement; answers the ids of those whose
    progress changed. Jobs claimed by someone else since are left alone.
    """
    if not found:
        return []
    jobs, attempts = tables.jobs, attempt_tables.attempts
    news = _as_rows(found)
    before = sa.select(jobs.c.id, jobs.c.progress).where(jobs.c.id.in_([item.job_id for item in found])).cte("before")
    await connection.execute(
        sa.update(attempts)
        .where(attempts.c.id.in_([item.attempt_id for item in found]))
        .values(poll_count=attempts.c.poll_count + 1)
    )
    due_at = sa.case((jobs.c.cancel_requested_at.is_not(None), sa.func.now()), else_=news.c.due_at)
    changed = await connection.execute(
        sa.update(jobs)
        .where(
            jobs.c.id == news.c.job_id,
            jobs.c.id == before.c.id,
            jobs.c.fence == news.c.fence,
            jobs.c.lease_owner == owner,
            jobs.c.step == states.Step.POLL,
        )
        .values(
            lease_owner=None,
            due_at=due_at,
            # Providers' progress may jump back; ours does not.
            progress=sa.func.greatest(jobs.c.progress, sa.func.coalesce(news.c.progress, jobs.c.progress)),
        )
        .returning(jobs.c.id, before.c.progress, jobs.c.progress)
    )
    return [row[0] for row in changed if row[1] != row[2]]


def _as_rows(found: list[Progress]) -> sa.TableValuedAlias:
    columns: tuple[sa.Cast[object], ...] = (
        sa.cast([item.job_id for item in found], pg.ARRAY(sa.Text)),
        sa.cast([item.fence for item in found], pg.ARRAY(sa.BigInteger)),
        sa.cast([item.progress for item in found], pg.ARRAY(sa.SmallInteger)),
        sa.cast([item.due_at for item in found], pg.ARRAY(sa.DateTime(timezone=True))),
    )
    return (
        sa.func.unnest(*columns)
        .table_valued(
            sa.column("job_id", sa.Text),
            sa.column("fence", sa.BigInteger),
            sa.column("progress", sa.SmallInteger),
            sa.column("due_at", sa.DateTime(timezone=True)),
        )
        .render_derived()
    )
