"""A row of a batch, seen as the job it is."""

from dataclasses import dataclass, replace
from typing import Any

from shared import errors, ids
from shared.db import batches as batch_tables
from shared.db import engine
from shared.db import results as result_rows
from shared.domain import attempts, batch_rows, batches, jobs, recipes, sheets, states


@dataclass(frozen=True, slots=True)
class RowJob:
    """A row's job with its attempts, its request and, once there is one, its answer."""

    batch_id: str
    number: int
    job: jobs.Job
    attempts: tuple[attempts.Attempt, ...]
    request: dict[str, Any]
    text: str | None


async def find(connection: engine.Connection, tenant_id: str, job_id: str) -> RowJob:
    """The row with this job id, in the generation the id names. Raises NotFoundError."""
    if not ids.is_valid(ids.Prefix.JOB, job_id):
        raise errors.NotFoundError
    name = batches.name_of(job_id)
    batch = await batch_tables.get(connection, tenant_id, name.batch_id)
    row = await result_rows.row(connection, batch, name.row) if batch is not None else None
    if batch is None or batch.layout is None or row is None or row.status is batch_rows.RowStatus.INVALID:
        raise errors.NotFoundError
    row = _in_generation(row, name.generation)
    return _row_job(batch, batch.layout, row)


def _in_generation(row: batch_rows.Row, generation: int) -> batch_rows.Row:
    """The row as it is, or as it ended in a former generation."""
    if row.generation == generation:
        return row
    past = next((past for past in row.past if past.generation == generation), None)
    if past is None:
        raise errors.NotFoundError
    return replace(
        row,
        generation=generation,
        status=past.status,
        finished_at=past.finished_at,
        error_code=past.error_code,
        error_message=past.error_message,
        cost_micros=past.cost_micros,
        history=past.history,
        output=None,
        sent_at=None,
        model=None,
    )


def _row_job(batch: batches.Batch, layout: sheets.Layout, row: batch_rows.Row) -> RowJob:
    body = recipes.compile_recipe(batch.recipe, layout).body(row.cells)
    job = batch_rows.job_of(batch, row, body)
    return RowJob(batch.id, row.number, job, _attempts(job, row), body, row.output)


def _attempts(job: jobs.Job, row: batch_rows.Row) -> tuple[attempts.Attempt, ...]:
    """Those that are over, and the one that is open or won."""
    if row.sent_at is None or row.model is None or row.provider is None:
        return row.history
    won = row.status is batch_rows.RowStatus.COMPLETED
    newest = attempts.Attempt(
        id="",
        job_id=job.id,
        number=row.attempt,
        model=row.model,
        provider=row.provider,
        upstream_model="",
        credential=0,
        status=states.AttemptStatus.SUCCEEDED if won else states.AttemptStatus.SENT,
        reference=f"{job.id}.{row.attempt}",
        created_at=row.sent_at,
        sent_at=row.sent_at,
        finished_at=row.finished_at,
        cost_micros=row.cost_micros - sum(past.cost_micros for past in row.history) if won else 0,
        ask_count=row.asks,
    )
    return (*row.history, newest)
