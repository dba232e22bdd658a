"""Whether the parts this process needs answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared import logs
from shared.db import engine
from shared.queues import ping
from shared.storage import objects, troubles

CHECK_SECONDS = 2.0
CACHE_SECONDS = 1.0
# Any name will do: that the object is missing is an answer, too.
_NO_SUCH_KEY = "health/nothing-is-stored-here"

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """Which parts answer. Jobs can be accepted as long as the database does."""

    parts: dict[str, bool]

    @property
    def ready(self) -> bool:
        """Whether jobs can be accepted and read."""
        return self.parts["database"]

    @property
    def degraded(self) -> list[str]:
        """What does not answer."""
        return [name for name, answers in self.parts.items() if not answers]


class Health:
    """Checks all parts at once, and no more than once a second however often it is asked."""

    def __init__(self, db: engine.Database, store: objects.Objects, redis_url: str) -> None:
        self._checks: dict[str, Callable[[], Awaitable[object]]] = {
            "database": db.ping,
            "storage": lambda: _reach(store),
            "redis": lambda: ping.ping(redis_url, CHECK_SECONDS),
        }
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._checked_at = 0.0

    async def report(self) -> Report:
        """What answers now, or did within the last second. Never raises for a part that is away."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._report is None or now - self._checked_at >= CACHE_SECONDS:
                answers = await asyncio.gather(*(_answers(name, check) for name, check in self._checks.items()))
                self._report = Report(dict(zip(self._checks, answers, strict=True)))
                self._checked_at = asyncio.get_running_loop().time()
            return self._report


async def _answers(name: str, check: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the part does not answer
        _log.warning("part_does_not_answer", part=name, error=type(error).__name__)
        return False
    return True


async def _reach(store: objects.Objects) -> None:
    try:
        await store.head(_NO_SUCH_KEY)
    except troubles.ObjectMissingError:
        return
