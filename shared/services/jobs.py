"""What a caller may do with a job: see it, list, cancel, run again, delete."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared import errors, gathering, ids, logs
from shared.db import attempts as attempt_rows
from shared.db import audit as audit_rows
from shared.db import engine
from shared.db import events as event_rows
from shared.db import jobs as job_rows
from shared.db import looks as look_rows
from shared.db import outputs as output_rows
from shared.domain import attempts, audit, decisions, events, jobs, listings, models, outputs, requests, states
from shared.services import acceptance, batch_rows, idempotency, metrics, reservations
from shared.storage import objects, troubles

# A job has a handful; only one that asked to be told of progress has more.
SHOWN_EVENTS = 200

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with all that is shown of it. `queue_position` only while it is queued; `request` and `route` only
    if asked for; `text` only for a row of a batch, which has no stored output.
    """

    job: jobs.Job
    attempts: tuple[attempts.Attempt, ...]
    outputs: tuple[outputs.Output, ...]
    queue_position: int | None = None
    request: dict[str, Any] | None = None
    route: tuple[decisions.Decision, ...] | None = None
    text: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether some provider may have accepted, and may charge for, an attempt that nobody can find (P3)."""
        return any(attempt.status is states.AttemptStatus.IN_DOUBT for attempt in self.attempts)


async def get(
    db: engine.Database, tenant_id: str, job_id: str, *, with_request: bool = False, with_route: bool = False
) -> JobView:
    """The job as it is now, a row of a batch too. Raises NotFoundError for what the tenant does not have."""
    async with db.transaction() as connection:
        job = await _get(connection, tenant_id, job_id)
        if job is None:
            row = await batch_rows.find(connection, tenant_id, job_id)
            request = row.request if with_request else None
            return JobView(row.job, row.attempts, (), request=request, text=row.text)
        view = await _view(connection, job, with_request=with_request)
        if not with_route:
            return view
        stored = await job_rows.decisions(connection, tenant_id, job_id)
    return replace(view, route=tuple(decisions.read(each) for each in stored))


class Looks:
    """Status answers that are asked for at the same moment, read together. One a process."""

    def __init__(self, db: engine.Database) -> None:
        self._db = db
        self._gathering = gathering.Gathering(self._look)

    async def get(self, tenant_id: str, job_id: str) -> JobView:
        """What `get` answers. Raises NotFoundError."""
        known = ids.is_valid(ids.Prefix.JOB, job_id) and not self._db.is_together
        view = await self._gathering.do((tenant_id, job_id)) if known else None
        return view or await get(self._db, tenant_id, job_id)

    async def _look(self, asked: Sequence[tuple[str, str]]) -> list[JobView | None]:
        """None for what is no job of that tenant: a row of a batch, or nothing."""
        async with self._db.reading() as connection:
            found = await look_rows.jobs_of(connection, asked)
            seen = [seen.job for seen in found.values()]
            tried = await look_rows.attempts_of(connection, [job.id for job in seen])
            over = [(job.tenant_id, job.id) for job in seen if job.status in states.TERMINAL]
            # A job read as running has no outputs, even if it was completed since.
            made = await look_rows.outputs_of(connection, over) if over else {}
        views = {
            key: JobView(
                seen.job,
                attempts=tuple(tried.get(seen.job.id, ())),
                outputs=tuple(made.get(seen.job.id, ())),
                queue_position=seen.queue_position,
            )
            for key, seen in found.items()
        }
        return [views.get(key) for key in asked]


async def history(db: engine.Database, tenant_id: str, job_id: str) -> list[events.Event]:
    """What happened to the job, in order; nothing for what the tenant does not have."""
    async with db.transaction() as connection:
        return await event_rows.of_subject(connection, tenant_id, job_id, 0, SHOWN_EVENTS)


async def prompts(db: engine.Database, tenant_id: str, job_ids: Sequence[str], characters: int) -> dict[str, str]:
    """The beginning of the prompt of each of the tenant's jobs, by job id."""
    async with db.transaction() as connection:
        return await job_rows.prompts(connection, tenant_id, job_ids, characters)


async def list_page(
    db: engine.Database,
    tenant_id: str,
    wanted: listings.JobFilter,
    cursor: str | None,
    limit: int,
    *,
    with_requests: bool = False,
) -> listings.JobPage:
    """One page of the tenant's jobs, newest first unless wanted otherwise. Jobs made meanwhile never shift a page."""
    async with db.transaction() as connection:
        # One more than asked for tells whether there is another page.
        found = await job_rows.page(connection, tenant_id, wanted, cursor, limit + 1)
        shown = found[:limit]
        shown_ids = [job.id for job in shown]
        made = await output_rows.of_jobs(connection, tenant_id, shown_ids)
        asked = await job_rows.request_bodies(connection, tenant_id, shown_ids) if with_requests else {}
    listed = tuple(listings.Listed(job, tuple(made.get(job.id, ())), asked.get(job.id)) for job in shown)
    return listings.JobPage(listed, shown[-1].id if len(found) > limit else None)


async def request_cancel(db: engine.Database, tenant_id: str, job_id: str, now: datetime) -> JobView:
    """Cancel at once what nobody has begun; ask a worker to cancel the rest (status unchanged until it has).
    Commits. May be repeated. Raises NotFoundError, and ConflictError for a job that ended otherwise.
    """
    async with db.transaction() as connection:
        job = await _find(connection, tenant_id, job_id, for_update=True)
        if job.status in states.TERMINAL:
            _must_be_cancelled(job)
        else:
            if job.cancel_requested_at is None:
                await audit_rows.append(connection, tenant_id, audit.Action.JOB_CANCELLED, job_id, now)
            job = await _cancel(connection, job, now)
        view = await _view(connection, job)
    if job.finished_at == now:
        metrics.job_ended(job)
    return view


async def rerun(
    db: engine.Database,
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    wish: "Rerun",
    now: datetime,
) -> acceptance.Receipt:
    """Accept the stored request of a job that is over once more, as a new job at today's prices.
    Commits. Raises NotFoundError, ConflictError while it is not over, and whatever accepting raises.
    """
    async with db.transaction() as connection:
        job = await _find(connection, wish.sender.tenant_id, wish.job_id)
        stored = await job_rows.request_body(connection, wish.sender.tenant_id, wish.job_id)
    if job.status not in states.TERMINAL:
        raise errors.ConflictError(f"The job is {job.status}; only a job that is over can be run again.")
    if stored is None:
        raise errors.GoneError("The job's request is no longer stored; send it as a new job.")
    ask = acceptance.NewRequest(
        sender=wish.sender,
        kind=job.kind,
        request=requests.parse(job.kind, stored),
        rules=wish.rules,
        once=wish.once,
        rerun_of=job.id,
    )
    return await acceptance.accept(db, catalog, usable_providers, ask, now)


@dataclass(frozen=True, slots=True)
class Rerun:
    """Which job to run again, and for whom."""

    sender: acceptance.Sender
    job_id: str
    rules: acceptance.Rules
    once: idempotency.Once | None = None


async def delete(db: engine.Database, store: objects.Objects, tenant_id: str, job_id: str, now: datetime) -> JobView:
    """Delete the outputs of a job that is over; its record stays. Commits. May be repeated.
    Raises NotFoundError, and ConflictError while it is not over.
    """
    async with db.transaction() as connection:
        job = await _find(connection, tenant_id, job_id, for_update=True)
        if job.status not in states.TERMINAL:
            raise errors.ConflictError(f"The job is {job.status}; cancel it first.")
        if job.deleted_at is None:
            await audit_rows.append(connection, tenant_id, audit.Action.JOB_DELETED, job_id, now)
        job = await job_rows.mark_deleted(connection, tenant_id, job_id, now) or job
        keys = await output_rows.mark_deleted(connection, tenant_id, job_id, now)
        view = await _view(connection, job)
    await _erase(store, job_id, keys)
    return view


async def _erase(store: objects.Objects, job_id: str, keys: list[str]) -> None:
    """The rows say gone already, so nobody gets a new URL. Bytes that could not be erased now are upkeep's."""
    try:
        await store.delete(keys)
    except troubles.StorageError as error:
        _log.warning("outputs_not_erased_yet", job_id=job_id, objects=len(keys), error=type(error).__name__)


async def _find(connection: engine.Connection, tenant_id: str, job_id: str, *, for_update: bool = False) -> jobs.Job:
    job = await _get(connection, tenant_id, job_id, for_update=for_update)
    if job is None:
        row = await batch_rows.find(connection, tenant_id, job_id)
        raise errors.ConflictError(
            f"This job is row {row.number} of {row.batch_id}; use the routes of the batch.",
            details={"batch_id": row.batch_id},
        )
    return job


async def _get(
    connection: engine.Connection, tenant_id: str, job_id: str, *, for_update: bool = False
) -> jobs.Job | None:
    if not ids.is_valid(ids.Prefix.JOB, job_id):
        return None
    return await job_rows.get(connection, tenant_id, job_id, for_update=for_update)


async def _view(connection: engine.Connection, job: jobs.Job, *, with_request: bool = False) -> JobView:
    over, queued = job.status in states.TERMINAL, job.status is states.JobStatus.QUEUED
    return JobView(
        job,
        attempts=tuple(await attempt_rows.of_job(connection, job.id)),
        # A job read as running has no outputs, even if it was completed since.
        outputs=tuple(await output_rows.of_job(connection, job.tenant_id, job.id)) if over else (),
        queue_position=await job_rows.queue_position(connection, job.tenant_id, job) if queued else None,
        request=await job_rows.request_body(connection, job.tenant_id, job.id) if with_request else None,
    )


def _must_be_cancelled(job: jobs.Job) -> None:
    if job.status is not states.JobStatus.CANCELLED:
        raise errors.ConflictError(f"The job is over: it is {job.status}.", details={"status": job.status})


async def _cancel(connection: engine.Connection, job: jobs.Job, now: datetime) -> jobs.Job:
    cancelled = await job_rows.cancel_untouched(connection, job.tenant_id, job.id, now)
    if cancelled is None:
        return await job_rows.ask_to_cancel(connection, job.tenant_id, job.id, now) or job
    await reservations.settle(connection, [(job, ())], now)
    await event_rows.append(connection, job.id, job.tenant_id, events.EventType.JOB_CANCELLED, now, {})
    return cancelled
