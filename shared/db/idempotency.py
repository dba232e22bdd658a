"""Idempotency keys as rows. A racing transaction with the same key waits at the unique row until the first has
committed, then sees what it did (promise P8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, outages
from shared.db.tables import idempotency as tables

LONGEST_WAIT_SECONDS = 5

_I = tables.idempotency


class StillInFlightError(Exception):
    """The first request with this key has not come to an end within LONGEST_WAIT_SECONDS."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, kept to be given again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key was used for: the job it made, or the answer it got."""

    fingerprint: str
    created_at: datetime
    job_id: str | None
    answer: Answer | None


async def bind(
    connection: engine.Connection, tenant_id: str, key: str, fingerprint: str, now: datetime, job_id: str | None = None
) -> Remembered | None:
    """Take the key for this transaction; or, if it was used before, answer what for. Raises StillInFlightError;
    the transaction can then only be rolled back.
    """
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT_SECONDS}s'"))
    values = {"tenant_id": tenant_id, "key": key, "fingerprint": fingerprint, "job_id": job_id, "created_at": now}
    query = pg.insert(_I).values(values).on_conflict_do_nothing().returning(_I.c.key)
    try:
        bound = (await connection.execute(query)).one_or_none()
    except exc.DBAPIError as error:
        if outages.is_lock_timeout(error):
            raise StillInFlightError from None
        raise
    if bound is not None:
        return None
    before = await find(connection, tenant_id, key)
    if before is None:
        # It was swept between our two statements. Rare enough to let the caller come again.
        raise StillInFlightError
    return before


async def find(connection: engine.Connection, tenant_id: str, key: str) -> Remembered | None:
    """What a key was used for, by a request that is over; None if it was not used."""
    found = await connection.execute(sa.select(_I).where(_I.c.tenant_id == tenant_id, _I.c.key == key))
    row = found.one_or_none()
    if row is None:
        return None
    answer = Answer(row.status, row.headers or {}, bytes(row.body or b"")) if row.status is not None else None
    return Remembered(row.fingerprint, row.created_at, row.job_id, answer)


async def rebind(
    connection: engine.Connection, tenant_id: str, key: str, fingerprint: str, now: datetime, job_id: str
) -> None:
    """Let a key that was used before stand for this job from now on."""
    await connection.execute(
        sa.update(_I)
        .where(_I.c.tenant_id == tenant_id, _I.c.key == key)
        .values(fingerprint=fingerprint, created_at=now, job_id=job_id)
    )


async def keep(connection: engine.Connection, tenant_id: str, key: str, answer: Answer) -> None:
    """Keep the answer of the request that took the key, in its transaction."""
    await connection.execute(
        sa.update(_I)
        .where(_I.c.tenant_id == tenant_id, _I.c.key == key)
        .values(status=answer.status, headers=dict(answer.headers), body=answer.body)
    )


async def forget(connection: engine.Connection, before: datetime, limit: int) -> int:
    """Drop up to `limit` keys used before then; answers how many."""
    old = (
        sa.select(_I.c.tenant_id, _I.c.key)
        .where(_I.c.created_at < before)
        .order_by(_I.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    dropped = await connection.execute(
        sa.delete(_I).where(_I.c.tenant_id == old.c.tenant_id, _I.c.key == old.c.key).returning(_I.c.key)
    )
    return len(dropped.all())
