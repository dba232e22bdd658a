"""A nudge to the relay that something is due. Only a hint: the relay looks by itself every second."""

import asyncio
import contextlib

import asyncpg
import structlog

from shared import logs

CHANNEL = "genqueue_due"
PAUSE_SECONDS = 0.01
_log: structlog.stdlib.BoundLogger = logs.get(__name__)


def dsn(database_url: str) -> str:
    """The URL as asyncpg itself reads it."""
    return database_url.replace("postgresql+asyncpg://", "postgresql://", 1)


class Hints:
    """Sends NOTIFY on a connection of its own, many calls as one: NOTIFY inside the accepting transaction would
    take a lock on the whole database at every commit (docs/decisions/0002).
    """

    def __init__(self, database_url: str) -> None:
        self._dsn = dsn(database_url)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sending; needs a running loop."""
        self._task = asyncio.create_task(self._send_all(), name="hints")

    def give(self) -> None:
        """Ask for a NOTIFY soon. Never waits, never fails. Call after the commit."""
        self._wanted.set()

    async def close(self) -> None:
        """Stop sending. May be repeated."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _send_all(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
                try:
                    await self._send_on(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.debug("hint_lost", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _send_on(self, connection: asyncpg.Connection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await connection.execute(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(PAUSE_SECONDS)
