"""Finding an output that may be downloaded."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared import errors, ids
from shared.db import engine
from shared.db import jobs as job_rows
from shared.db import outputs as output_rows
from shared.db import upkeep as upkeep_rows
from shared.domain import jobs, outputs, states
from shared.storage import objects, troubles

# A job with `store: false` is forgotten once collected; a broken download may be tried again for so long.
COLLECTED = timedelta(minutes=15)


async def find(
    db: engine.Database, tenant_id: str, job_id: str, number: int, variant: outputs.Variant, now: datetime
) -> outputs.Output:
    """The output, of which the bytes should be in the storage. Raises NotFoundError, NotFinishedError while the
    job runs, and GoneError when it was deleted or has expired. Commits: a job with `store: false` is collected now.
    """
    async with db.transaction() as connection:
        known = ids.is_valid(ids.Prefix.JOB, job_id)
        job = await job_rows.get(connection, tenant_id, job_id) if known else None
        if job is None:
            raise errors.NotFoundError
        found = await output_rows.of_job(connection, tenant_id, job_id)
        if not job.store and job.status is states.JobStatus.COMPLETED and variant is outputs.Variant.MAIN:
            await upkeep_rows.mark_collected(connection, tenant_id, job_id, now, now + COLLECTED)
    _must_have_outputs(job)
    output = next((o for o in found if o.number == number and o.variant is variant), None)
    if output is None:
        raise _no_such(found)
    if output.deleted_at is not None or (output.expires_at is not None and output.expires_at <= now):
        raise errors.GoneError
    return output


async def read_text(store: objects.Objects, made: Sequence[outputs.Output]) -> str:
    """The first main output as text. Raises GoneError when it was deleted, and what the storage raises."""
    output = next((o for o in made if o.variant is outputs.Variant.MAIN), None)
    if output is None or output.deleted_at is not None:
        raise errors.GoneError
    return (await read(store, output)).decode()


async def read(store: objects.Objects, output: outputs.Output) -> bytes:
    """The bytes of an output, whole. For texts and pictures; a video may not fit in memory."""
    try:
        download = await store.open(output.key)
        return b"".join([chunk async for chunk in download.chunks])
    except troubles.ObjectMissingError:
        raise errors.GoneError from None


def _must_have_outputs(job: jobs.Job) -> None:
    if job.status in states.ACTIVE:
        raise errors.NotFinishedError(details={"status": job.status})
    if job.status is not states.JobStatus.COMPLETED:
        raise errors.NotFoundError(f"The job is {job.status} and has no outputs.", details={"status": job.status})


def _no_such(found: list[outputs.Output]) -> errors.NotFoundError:
    there = [f"{output.number}?variant={output.variant}" for output in found]
    return errors.NotFoundError("The job has no such output.", accepted=there)
