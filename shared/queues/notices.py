"""Hearing NOTIFY on one channel. Only a hint: whoever listens must be right, if later, without it."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from shared.queues import hints

AGAIN_SECONDS = 1.0


class Notices:
    """Calls `heard` at every notification, and after every time it was deaf."""

    def __init__(self, database_url: str, channel: str, heard: Callable[[], None]) -> None:
        self._dsn = hints.dsn(database_url)
        self._channel = channel
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin listening; needs a running loop."""
        self._task = asyncio.create_task(self._listen(), name=f"listen-{self._channel}")

    async def close(self) -> None:
        """Stop listening. May be repeated."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._hear()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(self._channel, lambda *_: self._heard())
            self._heard()
            await closed.wait()
        finally:
            connection.terminate()
