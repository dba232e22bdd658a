"""Holding an answer until a job changes."""

import asyncio
from typing import Protocol

from shared import errors, ids
from shared.db import engine
from shared.db import jobs as job_rows
from shared.domain import jobs, states

# How long an announcement may be trusted to come: then the database is read again, whatever Redis said.
RECHECK_SECONDS = 5.0


class Changes(Protocol):
    """Something that announces changes of jobs. Announcements may be lost; they are hints."""

    async def wait(self, job_id: str, seconds: float) -> bool:
        """True as soon as a change of the job is announced, False when the time is over."""
        ...


async def until_changed(
    db: engine.Database,
    changes: Changes,
    tenant_id: str,
    job_id: str,
    seconds: float,
    stopping: asyncio.Event,
) -> None:
    """Return when status or progress differ from now, the job is over, `seconds` have passed or `stopping` is set.
    Holds no database session in between. Raises NotFoundError.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    first: tuple[states.JobStatus, int] | None = None
    while True:
        remaining = deadline - asyncio.get_running_loop().time()
        # Listening begins before the row is read: a change in between is not missed.
        listening = asyncio.create_task(changes.wait(job_id, max(min(remaining, RECHECK_SECONDS), 0.0)))
        try:
            job = await _read(db, tenant_id, job_id)
            first = first or (job.status, job.progress)
            if job.status in states.TERMINAL or (job.status, job.progress) != first or remaining <= 0:
                return
            if await _stops(listening, stopping):
                return
        finally:
            listening.cancel()


async def until_over(
    db: engine.Database,
    changes: Changes,
    tenant_id: str,
    job_id: str,
    seconds: float,
    stopping: asyncio.Event,
) -> bool:
    """True as soon as the job is over; False when `seconds` have passed or `stopping` is set.
    Holds no database session in between. Raises NotFoundError.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        remaining = deadline - asyncio.get_running_loop().time()
        listening = asyncio.create_task(changes.wait(job_id, max(min(remaining, RECHECK_SECONDS), 0.0)))
        try:
            job = await _read(db, tenant_id, job_id)
            if job.status in states.TERMINAL:
                return True
            if remaining <= 0 or await _stops(listening, stopping):
                return False
        finally:
            listening.cancel()


async def _read(db: engine.Database, tenant_id: str, job_id: str) -> jobs.Job:
    async with db.transaction() as connection:
        known = ids.is_valid(ids.Prefix.JOB, job_id)
        job = await job_rows.get(connection, tenant_id, job_id) if known else None
    if job is None:
        raise errors.NotFoundError
    return job


async def _stops(listening: asyncio.Task[bool], stopping: asyncio.Event) -> bool:
    """Wait for the announcement or the end of the process; True if it is the end."""
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({listening, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    return stopping.is_set()
