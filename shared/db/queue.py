"""How long the queue is."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import jobs as tables

_JOBS = tables.jobs
_QUEUED = sa.text("status = 'queued'")
_IN_FLIGHT = sa.text(tables.IN_FLIGHT)
# Makes the number of an advisory lock out of a key's id, apart from other locks.
_LOCK = 7_310_002


@dataclass(frozen=True, slots=True)
class Queue:
    """All queued jobs: how many (counted up to a cap), and since when the oldest waits."""

    length: int
    oldest_at: datetime | None


async def whole(connection: engine.Connection, cap: int) -> Queue:
    """The whole queue, over all tenants."""
    some = sa.select(sa.literal(1)).select_from(_JOBS).where(_QUEUED).limit(cap).subquery()
    oldest = sa.select(sa.func.min(_JOBS.c.created_at)).where(_QUEUED).scalar_subquery()
    row = (await connection.execute(sa.select(sa.func.count(), oldest).select_from(some))).one()
    return Queue(row[0], row[1])


async def lock_key(connection: engine.Connection, key_id: str) -> None:
    """Let one transaction at a time count and add to this key's queue; held until the commit."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(key_id))))


async def of_key(connection: engine.Connection, key_id: str, cap: int) -> int:
    """How many jobs of this key are queued, counted up to `cap`."""
    some = sa.select(sa.literal(1)).where(_JOBS.c.key_id == key_id, _QUEUED).limit(cap).subquery()
    return (await connection.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()


async def in_flight_of_key(connection: engine.Connection, key_id: str) -> int:
    """How many jobs of this key have begun, or are about to."""
    query = sa.select(sa.func.count()).select_from(_JOBS).where(_JOBS.c.key_id == key_id, _IN_FLIGHT)
    return (await connection.execute(query)).scalar_one()
