"""Taking jobs, giving them back, and noticing who fell silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db import attempts, claims, deliveries, engine
from shared.db import jobs as job_rows
from shared.db import processes as process_rows
from shared.domain import attempts as domain_attempts
from shared.domain import jobs, requests, states


@dataclass(frozen=True, slots=True)
class Claim:
    """A job this process holds, with all it needs to go on."""

    job: jobs.Job
    request: requests.AnyRequest
    history: tuple[domain_attempts.Attempt, ...]
    # By endpoint's name: what each asked for when the job was accepted.
    prices: dict[str, dict[str, str]]
    # The endpoint that served the job this one is a rerun of.
    parent_endpoint: str | None = None

    @property
    def last(self) -> domain_attempts.Attempt | None:
        """The newest attempt."""
        return self.history[-1] if self.history else None


async def claim(db: engine.Database, job_id: str, owner: str, now: datetime) -> Claim | None:
    """Take a due job that nobody holds; None for a doubled, late or early doorbell. Commits. May be repeated."""
    async with db.single() as connection:
        taken = await claims.claim(connection, job_id, owner, now)
    if taken is None:
        return None
    if taken.job.attempt_id is None and taken.job.rerun_of is None:  # never asked
        return Claim(taken.job, requests.parse(taken.job.kind, taken.body), (), taken.prices)
    async with db.reading() as connection:
        return await _completed(connection, taken.job, taken.body, taken.prices)


async def claim_poll(db: engine.Database, job_id: str, attempt_id: str, owner: str) -> Claim | None:
    """Take a job that waits for this attempt, to act on what became of it; None if another was quicker. Commits."""
    async with db.transaction() as connection:
        job = await claims.claim_poll(connection, job_id, attempt_id, owner)
        return await _load(connection, job) if job else None


async def reload(db: engine.Database, job: jobs.Job) -> Claim:
    """The claim as the database has it now. Raises LostClaimError if it is no longer this process's."""
    async with db.transaction() as connection:
        return await _load(connection, await claims.write(connection, job, fence=job.fence))


async def release(db: engine.Database, job: jobs.Job, step: states.Step, due_at: datetime) -> None:
    """Give the job back, to go on with `step` at `due_at`. Commits. Raises LostClaimError."""
    async with db.transaction() as connection:
        await claims.release(connection, job, step, due_at)


async def heartbeat(db: engine.Database, process_id: str, name: str, lease_seconds: int) -> None:
    """Keep every claim of this process for `lease_seconds` more. Commits. May be repeated."""
    async with db.transaction() as connection:
        await process_rows.beat(connection, process_id, name, lease_seconds)


async def held(db: engine.Database, process_id: str) -> dict[str, int]:
    """The ids and fences of all jobs this process holds."""
    async with db.transaction() as connection:
        return await claims.held(connection, process_id)


async def drop(db: engine.Database, process_id: str, fences: Mapping[str, int], due_at: datetime) -> None:
    """Give back claims that were dropped on the way, to be done again at `due_at`. Commits. May be repeated."""
    async with db.transaction() as connection:
        await claims.drop(connection, process_id, fences, due_at)


async def leave(db: engine.Database, process_id: str) -> None:
    """End this process's lease and give back what it holds. Commits. May be repeated."""
    async with db.transaction() as connection:
        await process_rows.leave(connection, process_id)
        await claims.release_dead(connection)
        await deliveries.release_dead(connection)


async def rescue(db: engine.Database) -> list[str]:
    """Give back the jobs of processes that fell silent; answers their ids. Commits. May be repeated."""
    async with db.transaction() as connection:
        freed = await claims.release_dead(connection)
        await process_rows.forget_dead(connection)
        return freed


async def _load(connection: engine.Connection, job: jobs.Job) -> Claim:
    stored = await job_rows.stored_request(connection, job.tenant_id, job.id)
    return await _completed(connection, job, stored.body if stored else {}, stored.prices if stored else {})


async def _completed(
    connection: engine.Connection, job: jobs.Job, body: dict[str, Any], prices: dict[str, dict[str, str]]
) -> Claim:
    request = requests.parse(job.kind, body)
    history = tuple(await attempts.of_job(connection, job.id))
    if job.rerun_of is None or history:
        return Claim(job, request, history, prices)
    parent = await job_rows.served_endpoint(connection, job.tenant_id, job.rerun_of)
    return Claim(job, request, history, prices, parent)
