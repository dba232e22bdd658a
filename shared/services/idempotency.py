"""Doing a thing once however often it is asked for (promise P8; docs of the header: api/idempotency.py)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import errors
from shared.db import engine, idempotency

KEPT = timedelta(hours=24)
SWEEP_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Once:
    """A key and the fingerprint of what it was sent with.

    A folding key is one we made up for a client that sends none: it folds a re-post onto the first only if the
    client says it is one (`is_retry`), and only for `folds_seconds`.
    """

    key: str
    fingerprint: str
    folds_seconds: int | None = None
    is_retry: bool = False


async def bind_job(
    connection: engine.Connection, tenant_id: str, once: Once | None, job_id: str, now: datetime
) -> str | None:
    """Let the key stand for this job; or answer the id of the job it stands for. Raises IdempotencyMismatchError,
    IdempotencyInFlightError.
    """
    if once is None:
        return None
    before = await _bind(connection, tenant_id, once, now, job_id)
    if before is None:
        return None
    if once.folds_seconds is not None and not _folds(once, before, now):
        await idempotency.rebind(connection, tenant_id, once.key, once.fingerprint, now, job_id)
        return None
    if before.fingerprint != once.fingerprint or before.job_id is None:
        raise errors.IdempotencyMismatchError(param="Idempotency-Key")
    return before.job_id


async def bind(connection: engine.Connection, tenant_id: str, once: Once, now: datetime) -> idempotency.Answer | None:
    """Take the key for this transaction; or answer what it was answered before. Raises IdempotencyMismatchError,
    IdempotencyInFlightError.
    """
    before = await _bind(connection, tenant_id, once, now, None)
    return _answer(once, before) if before is not None else None


async def known(db: engine.Database, tenant_id: str, once: Once) -> idempotency.Answer | None:
    """What was answered to this key before, if that is over; takes nothing. May be repeated.
    Raises IdempotencyMismatchError.
    """
    async with db.transaction() as connection:
        before = await idempotency.find(connection, tenant_id, once.key)
    return _answer(once, before) if before is not None else None


def _answer(once: Once, before: idempotency.Remembered) -> idempotency.Answer:
    if before.fingerprint != once.fingerprint or before.answer is None:
        raise errors.IdempotencyMismatchError(param="Idempotency-Key")
    return before.answer


async def sweep(db: engine.Database, now: datetime) -> int:
    """Forget keys used more than 24 hours ago, some thousands at a time; answers how many. Commits.
    May be repeated.
    """
    async with db.transaction() as connection:
        return await idempotency.forget(connection, now - KEPT, SWEEP_BATCH)


async def _bind(
    connection: engine.Connection, tenant_id: str, once: Once, now: datetime, job_id: str | None
) -> idempotency.Remembered | None:
    try:
        return await idempotency.bind(connection, tenant_id, once.key, once.fingerprint, now, job_id)
    except idempotency.StillInFlightError:
        raise errors.IdempotencyInFlightError(param="Idempotency-Key", retry_after_seconds=1) from None


def _folds(once: Once, before: idempotency.Remembered, now: datetime) -> bool:
    return once.is_retry and now - before.created_at <= timedelta(seconds=once.folds_seconds or 0)
