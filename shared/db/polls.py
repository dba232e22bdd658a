"""Due polls: taken and put off in numbers, and what they found written back in numbers."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import polls, states

_JOBS, _A = tables.jobs, attempt_tables.attempts

# The columns are the fields of polls.Due, in their order.
_DUE = sa.text(f"""
SELECT jobs.id, jobs.tenant_id, jobs.deadline_at, jobs.cancel_requested_at, jobs.progress,
  asked.id, asked.model, asked.provider, asked.credential, coalesce(asked.upstream_id, ''), asked.reference,
  asked.accepted_at, asked.poll_count,
  EXISTS (SELECT FROM attempts AS other WHERE other.job_id = jobs.id AND other.id <> asked.id AND (
    other.status = '{states.AttemptStatus.OVERDUE}'
    OR (other.status = '{states.AttemptStatus.IN_DOUBT}' AND other.upstream_id IS NOT NULL)))
FROM jobs JOIN attempts AS asked ON asked.id = jobs.attempt_id
WHERE jobs.step = 'poll' AND jobs.lease_owner IS NULL AND jobs.due_at <= :now
ORDER BY jobs.due_at LIMIT :limit FOR NO KEY UPDATE OF jobs SKIP LOCKED
""")  # noqa: S608 - our own words; the values are parameters
# `= ANY` beside the join has the rows found by their key, whatever the planner believes of a list's length.
_PUT_OFF = sa.text("""
UPDATE jobs SET due_at = next.due_at
FROM unnest(CAST(:ids AS text[]), CAST(:moments AS timestamptz[])) AS next (id, due_at)
WHERE jobs.id = ANY(CAST(:ids AS text[])) AND jobs.id = next.id
""")
_COUNT = sa.text("UPDATE attempts SET poll_count = poll_count + 1 WHERE id = ANY(CAST(:ids AS text[]))")
# Providers' progress may jump back; ours does not. A job that was cancelled meanwhile stays due.
_TELL = sa.text("""
UPDATE jobs SET progress = greatest(jobs.progress, news.progress),
  due_at = CASE WHEN cancel_requested_at IS NOT NULL OR news.not_before IS NULL THEN due_at
    ELSE greatest(due_at, least(news.not_before, deadline_at)) END
FROM unnest(CAST(:ids AS text[]), CAST(:attempts AS text[]), CAST(:progress AS smallint[]),
  CAST(:moments AS timestamptz[])) AS news (id, attempt_id, progress, not_before)
WHERE jobs.id = ANY(CAST(:ids AS text[])) AND jobs.id = news.id AND jobs.step = 'poll' AND jobs.lease_owner IS NULL
  AND jobs.attempt_id = news.attempt_id
RETURNING jobs.id, news.progress IS NOT NULL
""")


async def due(connection: engine.Connection, now: datetime, limit: int) -> list[polls.Due]:
    """Lock up to `limit` jobs whose poll is due, the longest overdue first; those that others have locked are left
    out.
    """
    found = await connection.execute(_DUE, {"now": now, "limit": limit})
    return [polls.Due(*row) for row in found]


async def put_off(connection: engine.Connection, moments: Sequence[tuple[str, datetime]]) -> None:
    """Let each of these jobs be due again at its moment."""
    ids, times = [job_id for job_id, _ in moments], [moment for _, moment in moments]
    await connection.execute(_PUT_OFF, {"ids": ids, "moments": times})


async def note(connection: engine.Connection, answers: Sequence[polls.Answer]) -> list[str]:
    """Count these polls, and write down what they found; answers the ids of the jobs that have progressed. A job that
    went on meanwhile is left alone.
    """
    await connection.execute(_COUNT, {"ids": sorted(answer.due.attempt_id for answer in answers)})
    news = sorted((answer for answer in answers if answer.is_news), key=lambda answer: answer.due.job_id)
    if not news:
        return []
    told = await connection.execute(
        _TELL,
        {
            "ids": [answer.due.job_id for answer in news],
            "attempts": [answer.due.attempt_id for answer in news],
            "progress": [answer.progress for answer in news],
            "moments": [answer.not_before for answer in news],
        },
    )
    return [job_id for job_id, has_progressed in told if has_progressed]
