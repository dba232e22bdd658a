"""Live news over Redis, so that a held answer comes at once. Without Redis its holder looks again by itself."""

import asyncio
import contextlib
from collections import defaultdict
from typing import Self

import redis.asyncio as aioredis
import redis.exceptions
import structlog

from shared import logs

CHANNEL = "genqueue:changes"
BLIND_SECONDS = 1.0
_log: structlog.stdlib.BoundLogger = logs.get(__name__)


def _client(url: str) -> aioredis.Redis:
    return aioredis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=15)


async def _ended(task: asyncio.Task[None] | None) -> None:
    """Cancel until it is done: redis-py 8.1 now and then turns a cancellation into a ConnectionError."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


class News:
    """Announces what changed. Losing an announcement only makes a held answer slower."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)
        self._changed: set[str] = set()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin announcing; needs a running loop."""
        self._task = asyncio.create_task(self._announce(), name="news")

    def tell(self, *names: str) -> None:
        """Announce soon that something changed about these: a job or batch, and its tenant. Call after the commit.
        Never waits (Redis may be frozen), never raises.
        """
        self._changed.update(names)
        self._wanted.set()

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        await _ended(self._task)
        self._task = None
        await self._redis.aclose()

    async def _announce(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            changed, self._changed = self._changed, set()
            with contextlib.suppress(redis.exceptions.RedisError, OSError, TimeoutError):
                # One message for all: everybody who listens takes longer over a message than over a name.
                await self._redis.publish(CHANNEL, " ".join(changed))


class Ear:
    """Hears announcements of one name for as long as it is held, by `with`. There may be thousands."""

    __slots__ = ("_changes", "_name", "_waiting", "_woken")

    def __init__(self, changes: "Changes", name: str) -> None:
        self._changes = changes
        self._name = name
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._changes.add(self._name, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._changes.discard(self._name, self)

    def wake(self) -> None:
        """Let whoever waits look."""
        self._woken = True
        self._end()

    async def wait(self, seconds: float) -> bool:
        """True as soon as it was woken since the last call; False after `seconds`, or after one second when Redis
        cannot be heard, so that the caller reads the database again.
        """
        if not self._woken:
            # Not `asyncio.timeout` around an event: this is half the memory and the time of a stream that waits.
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(seconds if self._changes.hearing else min(seconds, BLIND_SECONDS), self._end)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
        woken, self._woken = self._woken, False
        return woken

    def _end(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Changes:
    """Hears all announcements over one subscription and wakes whoever listens for a name in them."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)
        self._ears: dict[str, set[Ear]] = defaultdict(set)
        self.hearing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin listening; needs a running loop."""
        self._task = asyncio.create_task(self._listen(), name="changes")

    async def close(self) -> None:
        """Stop listening. May be repeated."""
        await _ended(self._task)
        self._task = None
        await self._redis.aclose()

    def listening(self, name: str) -> Ear:
        """An ear for one name. What is announced from `with` on is not missed, even between two waits."""
        return Ear(self, name)

    def add(self, name: str, ear: Ear) -> None:
        """Wake this ear from now on."""
        self._ears[name].add(ear)

    def discard(self, name: str, ear: Ear) -> None:
        """Wake it no more."""
        self._ears[name].discard(ear)
        if not self._ears[name]:
            del self._ears[name]

    async def wait(self, name: str, seconds: float) -> bool:
        """One wait of an ear of its own."""
        with self.listening(name) as ear:
            return await ear.wait(seconds)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    self.hearing = True
                    await self._hear(subscription)
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                _log.debug("changes_not_heard", error=type(error).__name__)
            finally:
                self.hearing = False
            await asyncio.sleep(1)

    async def _hear(self, subscription: aioredis.client.PubSub) -> None:
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=2.0)
            if message is not None:
                for name in message["data"].decode().split():
                    for ear in self._ears.get(name, ()):
                        ear.wake()
