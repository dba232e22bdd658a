"""Rows of batches that ordinary jobs carry on."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import batch_rows as tables
from shared.domain import batches

SETTLED_AT_ONCE = 5000

_R = tables.batch_rows


async def hand_over(
    connection: engine.Connection,
    batch: batches.Batch,
    slice_number: int | None,
    jobs_by_row: Mapping[int, str],
    now: datetime,
) -> list[int]:
    """Note that ordinary jobs carry these rows on; answers which of them were still in this slice's hand."""
    changed = await connection.execute(
        sa.text(
            "UPDATE batch_rows AS r SET status = 'in_progress', slice = NULL, due_at = NULL, job_id = v.job_id, "
            "started_at = coalesce(r.started_at, :now) "
            "FROM unnest(CAST(:numbers AS int[]), CAST(:jobs AS text[])) AS v(number, job_id) "
            "WHERE r.batch_number = :batch AND r.number = ANY(CAST(:numbers AS int[])) AND r.number = v.number "
            "AND r.job_id IS NULL "
            "AND r.slice IS NOT DISTINCT FROM CAST(:slice AS bigint) RETURNING r.number"
        ),
        {
            "batch": batch.number,
            "slice": slice_number,
            "now": now,
            "numbers": list(jobs_by_row),
            "jobs": list(jobs_by_row.values()),
        },
    )
    return list(changed.scalars())


async def settle_released(connection: engine.Connection, batch_number: int) -> tuple[Counter[str], int]:
    """Take over the ends of the jobs that carried rows on; how many ended how, and what they cost beyond what the
    rows had cost before.
    """
    changed = await connection.execute(
        sa.text(
            "WITH over AS (SELECT r.number, r.cost_micros AS before_micros, j.* FROM batch_rows r "
            "JOIN jobs j ON j.id = r.job_id WHERE r.batch_number = :batch AND r.job_id IS NOT NULL "
            "AND r.status = 'in_progress' AND j.status IN ('completed', 'failed', 'cancelled', 'expired') "
            "LIMIT :limit) "
            "UPDATE batch_rows AS r SET status = over.status, finished_at = over.finished_at, "
            "error_code = over.error_code, error_message = over.error_message, cost_micros = over.cost_micros, "
            "model = coalesce(over.served_model, r.model), provider = coalesce(over.served_provider, r.provider), "
            "output = (SELECT a.sources -> 0 ->> 'text' FROM attempts a WHERE a.job_id = over.id "
            "AND a.status = 'succeeded' ORDER BY a.number DESC LIMIT 1) "
            "FROM over WHERE r.batch_number = :batch AND r.number = over.number "
            "RETURNING r.status, over.cost_micros - over.before_micros AS more"
        ),
        {"batch": batch_number, "limit": SETTLED_AT_ONCE},
    )
    found = list(changed)
    return Counter(row.status for row in found), sum(row.more for row in found)


async def cancel_released(connection: engine.Connection, batch_number: int, now: datetime) -> None:
    """Ask for the cancellation of the jobs that carry rows on. May be repeated."""
    await connection.execute(
        sa.text(
            "UPDATE jobs SET cancel_requested_at = :now, due_at = least(due_at, :now), ring_at = :now, rings = 0 "
            "WHERE cancel_requested_at IS NULL AND status IN ('queued', 'in_progress') AND id IN "
            "(SELECT job_id FROM batch_rows WHERE batch_number = :batch AND job_id IS NOT NULL "
            "AND status = 'in_progress')"
        ),
        {"batch": batch_number, "now": now},
    )
