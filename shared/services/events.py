"""Events for those who cannot receive: one feed a tenant, and the course of one job or batch."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from shared import errors, gathering, ids
from shared.db import batches as batch_rows
from shared.db import engine
from shared.db import events as rows
from shared.db import jobs as job_rows
from shared.domain import batches, events, states

PAGE = 200
# However many follow, so many of them read at a time: the pool is for the other requests.
READERS = 3
# A comment goes out at least so often, which keeps proxies from cutting the line.
HEARTBEAT_SECONDS = 10.0
# How long an announcement may be trusted to come to a held feed.
RECHECK_SECONDS = 5.0


class Ear(Protocol):
    """Hears announcements about one name, from before it is asked."""

    async def wait(self, seconds: float) -> bool:
        """True as soon as one is heard, False when the time is over or nothing can be heard."""
        ...

    def wake(self) -> None:
        """Let whoever waits look."""
        ...


class Announcements(Protocol):
    """Where changes are announced. Announcements may be lost; they are hints."""

    def listening(self, name: str) -> AbstractContextManager[Ear]:
        """An ear for the time of the block."""
        ...


class Follower:
    """Reads for all who follow events on this process. One a process."""

    def __init__(self, db: engine.Database, announcements: Announcements, stopping: asyncio.Event) -> None:
        self._db = db
        self._announcements = announcements
        self._stopping = stopping
        self._readers = asyncio.Semaphore(READERS)
        self._readings = gathering.Gathering(self._read)
        self._ears: set[Ear] = set()
        self._watching: asyncio.Task[None] | None = None

    async def feed(
        self, tenant_id: str, cursor: str | None, types: frozenset[str], limit: int, wait_seconds: float
    ) -> events.EventPage:
        """The tenant's events after `cursor`; if there are none, waits for one up to `wait_seconds`. Raises GoneError
        for a cursor that is not there any more.
        """
        deadline = asyncio.get_running_loop().time() + wait_seconds
        with self._announcements.listening(tenant_id) as ear:
            self._add(ear)
            try:
                while True:
                    found = await self._page(tenant_id, cursor, types, limit)
                    remaining = deadline - asyncio.get_running_loop().time()
                    if found.events or remaining <= 0 or self._stopping.is_set():
                        return found
                    await ear.wait(min(remaining, RECHECK_SECONDS))
            finally:
                self._discard(ear)

    async def _page(self, tenant_id: str, cursor: str | None, types: frozenset[str], limit: int) -> events.EventPage:
        async with self._readers, self._db.transaction() as connection:
            found = await rows.after(connection, tenant_id, cursor, types, limit + 1)
        if found is None:
            raise errors.GoneError("The event named by `after` is no longer kept; begin again without it.")
        shown = tuple(found[:limit])
        return events.EventPage(shown, len(found) > limit, shown[-1].id if shown else cursor)

    async def start_of(self, tenant_id: str, subject_id: str, last_event_id: str | None) -> int | None:
        """After which sequence to go on with the events of a job or batch; None when it is over and everything was
        read. Raises NotFoundError. An unknown last event begins at the start: rather twice than never.
        """
        async with self._db.transaction() as connection:
            over = await _is_over(connection, tenant_id, subject_id)
            newest = await rows.newest_sequence(connection, subject_id)
            last = await rows.get(connection, tenant_id, last_event_id) if last_event_id else None
        after = last.sequence if last is not None and last.subject_id == subject_id else 0
        return None if over and after >= newest else after

    async def follow(
        self, tenant_id: str, subject_id: str, after_sequence: int, ends: frozenset[events.EventType]
    ) -> AsyncGenerator[events.Event | None, None]:
        """A subject's events as they happen, None when there was none for a while, until one of `ends` is the newest
        (a batch may go on after one) or the end of the process. Holds no database session between.
        """
        with self._announcements.listening(subject_id) as ear:
            self._add(ear)
            try:
                while not self._stopping.is_set():
                    found = await self._readings.do((tenant_id, subject_id, after_sequence))
                    for event in found:
                        yield event
                        after_sequence = event.sequence
                    if len(found) == PAGE:
                        continue
                    if found and found[-1].type in ends:
                        return
                    if not await ear.wait(HEARTBEAT_SECONDS):
                        yield None
            finally:
                self._discard(ear)

    async def _read(self, asked: Sequence[rows.Place]) -> list[list[events.Event]]:
        """Many follow the same job, and many jobs change at the same moment: they are read for together."""
        async with self._db.reading() as connection:
            found = await rows.of_subjects(connection, asked, PAGE)
        return [found.get(place, []) for place in asked]

    def _add(self, ear: Ear) -> None:
        """Wake this ear at the end of the process."""
        self._ears.add(ear)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="stopping")

    def _discard(self, ear: Ear) -> None:
        self._ears.discard(ear)
        if not self._ears and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        """One for all who listen: a task of each would be most of what it costs to listen."""
        await self._stopping.wait()
        for ear in self._ears:
            ear.wake()


async def _is_over(connection: engine.Connection, tenant_id: str, subject_id: str) -> bool:
    if ids.is_valid(ids.Prefix.JOB, subject_id):
        job = await job_rows.get(connection, tenant_id, subject_id)
        if job is not None:
            return job.status in states.TERMINAL
    if ids.is_valid(ids.Prefix.BATCH, subject_id):
        batch = await batch_rows.get(connection, tenant_id, subject_id)
        if batch is not None:
            return batch.status in batches.OVER
    raise errors.NotFoundError


async def forget_old(db: engine.Database, now: datetime, retention_seconds: int, limit: int) -> int:
    """Delete up to `limit` events older than that, with the log of their deliveries; answers how many. Commits."""
    async with db.transaction() as connection:
        return await rows.forget_before(connection, now - timedelta(seconds=retention_seconds), limit)
