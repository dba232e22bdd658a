"""Taking jobs, giving them back, and noticing who fell silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import attempts, claims, deliveries, engine
from shared.db import jobs as job_rows
from shared.db import processes as process_rows
from shared.domain import attempts as domain_attempts
from shared.domain import jobs, requests, states
from shared.services import jointly


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
    return await jointly.do(db, _claim, job_id, claims.Wanted(job_id, owner, now))


async def _claim(db: engine.Database, wanted: Sequence[claims.Wanted]) -> list[Claim | Exception | None]:
    async with db.single() as connection:
        taken = await claims.claim(connection, wanted)
        asked = [job_id for job_id, each in taken.items() if each.job.attempt_id is not None]
        history = await attempts.of_jobs(connection, asked) if asked else {}
        return [await _found(connection, taken.get(each.id), history.get(each.id, ())) for each in wanted]


async def _found(
    connection: engine.Connection, taken: claims.Taken | None, history: Sequence[domain_attempts.Attempt]
) -> Claim | Exception | None:
    """Once claimed, what is wrong with one is no reason to drop the others."""
    if taken is None:
        return None
    try:
        return await _completed(connection, taken, history)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever wants this job hears of it
        return error


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
    taken = claims.Taken(job, stored.body if stored else {}, stored.prices if stored else {})
    return await _completed(connection, taken, await attempts.of_job(connection, job.id))


async def _completed(
    connection: engine.Connection, taken: claims.Taken, history: Sequence[domain_attempts.Attempt]
) -> Claim:
    job = taken.job
    request = requests.parse(job.kind, taken.body)
    parent = None
    if job.rerun_of is not None and not history:
        parent = await job_rows.served_endpoint(connection, job.tenant_id, job.rerun_of)
    return Claim(job, request, tuple(history), taken.prices, parent)
