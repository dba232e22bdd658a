"""Turning work away before the queue is longer than it helps anybody, low priorities first."""

import asyncio
from datetime import datetime

from shared import errors
from shared.db import engine, queue
from shared.domain import limits

LOOK_AGAIN_SECONDS = 1.0
RETRY_SECONDS = 30


class Admission:
    """One a process. Looks at the queue once a second however many ask; limits of 0 are none."""

    def __init__(self, max_length: int, max_age_seconds: int) -> None:
        self._max_length = max_length
        self._max_age_seconds = max_age_seconds
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None
        self._lowest = 0

    async def check(self, db: engine.Database, priority: int, now: datetime) -> None:
        """Raise OverloadedError if jobs of this priority are turned away at the moment."""
        if not (self._max_length or self._max_age_seconds):
            return
        async with self._lock:
            moment = asyncio.get_running_loop().time()
            if self._looked_at is None or moment - self._looked_at >= LOOK_AGAIN_SECONDS:
                self._lowest = await self._look(db, now)
                self._looked_at = moment
        if priority < self._lowest:
            raise errors.OverloadedError(
                retry_after_seconds=RETRY_SECONDS, details={"priority": priority, "lowest_admitted": self._lowest}
            )

    async def _look(self, db: engine.Database, now: datetime) -> int:
        async with db.transaction() as connection:
            # Twice the limit turns everything away; counting further would tell nothing.
            found = await queue.whole(connection, cap=max(2 * self._max_length, 1))
        age = (now - found.oldest_at).total_seconds() if found.oldest_at else 0.0
        return limits.lowest_admitted(found.length, age, self._max_length, self._max_age_seconds)
