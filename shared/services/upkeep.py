"""Upkeep: deleting what has expired, forgetting what may not be stored, and counting what is left to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import logs
from shared.db import engine
from shared.db import upkeep as rows
from shared.services import files, idempotency, ledger
from shared.storage import objects, troubles

BATCH = 500
COUNTED = 10_000
# `store: false`: how long prompt and result stay when nobody comes for them.
UNCOLLECTED = timedelta(hours=1)
# A row that says "gone" before its bytes are erased: whoever deletes a job erases them himself, within this.
ERASE_AFTER = timedelta(minutes=1)

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What one round of upkeep did."""

    expired_jobs: int
    erased_objects: int
    forgotten_jobs: int
    released_holds: int
    dropped_keys: int
    erased_files: int

    @property
    def is_full(self) -> bool:
        """Whether there is likely more to do at once."""
        return max(self.expired_jobs, self.erased_objects, self.forgotten_jobs, self.erased_files) >= BATCH


async def run(db: engine.Database, store: objects.Objects, now: datetime) -> Done:
    """One round: a batch of everything. Commits in steps; may be repeated and raced. A released hold is a fault of
    ours, and logged as one. Bytes that cannot be erased now are erased in a later round.
    """
    expired = await expire(db, now)
    erased = await erase(db, store, now)
    forgotten = await forget(db, now)
    released = await ledger.release_forgotten(db, now)
    if released:
        _log.error("holds_were_forgotten", jobs=released)
    dropped = await idempotency.sweep(db, now)
    return Done(expired, erased, forgotten, released, dropped, await files.erase_expired(db, store, now, BATCH))


async def expire(db: engine.Database, now: datetime) -> int:
    """Mark a batch of outputs past their time as deleted; answers of how many jobs. Commits. May be repeated."""
    async with db.transaction() as connection:
        return len(await rows.expire(connection, now, BATCH))


async def erase(db: engine.Database, store: objects.Objects, now: datetime) -> int:
    """Take a batch of deleted outputs out of the storage; answers how many. Commits. May be repeated: deleting what
    is gone does no harm.
    """
    async with db.transaction() as connection:
        found = await rows.unerased(connection, now - ERASE_AFTER, BATCH)
    if not found:
        return 0
    try:
        await store.delete([key for _, key in found])
    except troubles.StorageError as error:
        _log.warning("outputs_not_erased_yet", objects=len(found), error=type(error).__name__)
        return 0
    async with db.transaction() as connection:
        await rows.mark_erased(connection, [output_id for output_id, _ in found], now)
    return len(found)


async def forget(db: engine.Database, now: datetime) -> int:
    """Drop prompt and result of a batch of jobs with `store: false`; answers how many. Commits. May be repeated."""
    async with db.transaction() as connection:
        return len(await rows.forget(connection, now, UNCOLLECTED, BATCH))


async def backlog(db: engine.Database, now: datetime) -> rows.Backlog:
    """How much upkeep is behind, for the gauges: each counted up to 10,000."""
    async with db.transaction() as connection:
        return await rows.backlog(connection, now, UNCOLLECTED, idempotency.KEPT, COUNTED)
