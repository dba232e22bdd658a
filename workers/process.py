"""This worker process: its loop, its context, its heartbeat. Tasks reach everything through `current()`."""

import asyncio
import contextlib
import threading
import time
from datetime import timedelta

import structlog

from shared import clock, logs, metrics, settings
from shared.services import claims, slices
from workers import context, loop, poller

HEARTBEATS_PER_LEASE = 3
NAME = "worker"

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class Process:
    """One a worker process. `start` before the first task, `stop` after the last."""

    def __init__(self, configured: settings.Settings) -> None:
        self._settings = configured
        self.loop = loop.Loop()
        self._context: context.Context | None = None
        self._poller: poller.Poller | None = None
        self._heart: asyncio.Task[None] | None = None

    @property
    def at(self) -> context.Context:
        """The adapters; only after `start`."""
        if self._context is None:
            raise RuntimeError("the process has not been started")
        return self._context

    def start(self) -> None:
        """Open everything, and hold the lease before any task can claim."""
        self.loop.start()
        self.loop.do(self._open())

    def stop(self) -> None:
        """Give back what is still held, and close. May be repeated."""
        if self._context is not None:
            self.loop.do(self._close(self._context))
            self._context = None
            self.loop.stop()

    async def wake_poller(self) -> None:
        """Have the poller look for what is due; on the loop, as it is not made for threads."""
        if self._poller is not None:
            self._poller.wake()

    def reload_catalog(self) -> None:
        """Read the catalog again, soon; a bad one is logged and the old one serves on. Never waits."""
        threading.Thread(target=self.at.reload_catalog, name="catalog", daemon=True).start()

    async def _open(self) -> None:
        self._context = context.open_context(self._settings)
        with contextlib.suppress(Exception):  # Postgres may be away: the heart keeps trying
            await self._beat()
        self._poller = poller.Poller(self._context)
        self._poller.start()
        self._heart = asyncio.create_task(self._beat_for_ever(), name="heartbeat")

    async def _close(self, opened: context.Context) -> None:
        if self._heart is not None:
            self._heart.cancel()
        if self._poller is not None:
            await self._poller.close()
        await opened.courier.close()
        with contextlib.suppress(Exception):  # the sweep gives everything back if we cannot
            await claims.leave(opened.db, opened.process_id)
            await slices.rescue(opened.db)
        await opened.close()

    async def _beat(self) -> None:
        begun = time.monotonic()
        await claims.heartbeat(self.at.db, self.at.process_id, NAME, self._settings.lease_seconds)
        self.at.lease.renew(begun)

    async def _give_back_strays(self) -> None:
        strays = self.at.hand.strays(await claims.held(self.at.db, self.at.process_id))
        metrics.STRAYS.inc(len(strays))
        if strays:
            _log.error("claims_dropped", jobs=sorted(strays))
            due_at = clock.now() + timedelta(seconds=self._settings.lease_seconds)
            await claims.drop(self.at.db, self.at.process_id, strays, due_at)
        dropped = self.at.slice_hand.strays(await slices.held(self.at.db, self.at.process_id))
        if dropped:
            _log.error("slices_dropped", slices=sorted(dropped.values()))
            await slices.drop(self.at.db, list(dropped.values()))

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / HEARTBEATS_PER_LEASE)
            try:
                await self._beat()
                await self._give_back_strays()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next beat may get through
                _log.warning("heartbeat_missed", error=type(error).__name__)


_current: list[Process] = []


def begin(configured: settings.Settings) -> Process:
    """Make and start this process's one Process."""
    made = Process(configured)
    made.start()
    _current[:] = [made]
    return made


def current() -> Process:
    """The process begun before."""
    return _current[0]
