"""Rows that go on as ordinary jobs: pictures, films, and texts whose answer cannot be had at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared import ids
from shared.db import acceptance, engine
from shared.db import attempts as attempt_rows
from shared.db import jobs as job_rows
from shared.db import releases as release_rows
from shared.domain import batches, doubts, jobs, models, requests, slices
from shared.services import acceptance as acceptance_services


async def release(
    connection: engine.Connection,
    batch: batches.Batch,
    slice_number: int | None,
    handed: Sequence[slices.HandOver],
    catalog: models.Catalog,
    now: datetime,
) -> None:
    """Insert one job a row, with the attempts made so far, in the transaction that takes the row out of the slice.
    The job's id follows from the row, so a row can never be released twice. The batch goes on holding the money; the
    job, when it ends, is charged for all attempts, also those that were made as a row.
    """
    named = {item.order.row.number: _job_id(batch, item) for item in handed}
    ours = set(await release_rows.hand_over(connection, batch, slice_number, named, now))
    for item in handed:
        if item.order.row.number in ours:
            await _insert(connection, item, _new_job(batch, item, catalog, now), now)


def _job_id(batch: batches.Batch, item: slices.HandOver) -> str:
    return batches.row_id(batch.id, item.order.row.generation, item.order.row.number)


async def _insert(connection: engine.Connection, item: slices.HandOver, new: jobs.NewJob, now: datetime) -> None:
    job = await acceptance.insert_job(connection, new)
    if not item.history:
        return
    history = [replace(attempt, id=ids.new(ids.Prefix.ATTEMPT), job_id=job.id) for attempt in item.history]
    await attempt_rows.insert_all(connection, history)
    await job_rows.go_on(connection, job.id, item.step, item.due_at, history[-1].id, now)


def _new_job(batch: batches.Batch, item: slices.HandOver, catalog: models.Catalog, now: datetime) -> jobs.NewJob:
    request, kind = item.order.request, item.order.kind
    window = timedelta(seconds=batch.wishes.completion_window_seconds)
    return jobs.NewJob(
        id=_job_id(batch, item),
        tenant_id=batch.tenant_id,
        key_id=batch.key_id,
        kind=kind,
        model=request.model,
        priority=batch.wishes.priority,
        on_doubt=doubts.on_doubt(kind, request),
        created_at=now,
        deadline_at=batch.deadline_at or now + window,
        metadata={**batch.wishes.metadata, **request.metadata},
        estimate_micros=0 if batch.is_test else item.estimate_micros,
        request=requests.store(request),
        prices=acceptance_services.prices_of(catalog, request),
        budget_ids=batch.budget_ids,
        is_test=batch.is_test,
    )
