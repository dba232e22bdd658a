"""Live news of jobs over Redis, so that a held poll answers at once. Without Redis the poll looks again by itself."""

import asyncio
import contextlib
from collections import defaultdict

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
    """Announces changed jobs. Losing an announcement only makes a held poll slower."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)
        self._changed: set[str] = set()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin announcing; needs a running loop."""
        self._task = asyncio.create_task(self._announce(), name="news")

    def tell(self, job_id: str) -> None:
        """Announce soon that a job changed. Call after the commit. Never waits (Redis may be frozen), never raises."""
        self._changed.add(job_id)
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
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for job_id in changed:
                        pipeline.publish(CHANNEL, job_id)
                    await pipeline.execute()


class Changes:
    """Hears all announcements over one subscription and wakes whoever waits for a job."""

    def __init__(self, redis_url: str) -> None:
        self._redis = _client(redis_url)
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._hearing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin listening; needs a running loop."""
        self._task = asyncio.create_task(self._listen(), name="changes")

    async def close(self) -> None:
        """Stop listening. May be repeated."""
        await _ended(self._task)
        self._task = None
        await self._redis.aclose()

    async def wait(self, job_id: str, seconds: float) -> bool:
        """True as soon as a change of the job is announced; False after `seconds`, or after one second when Redis
        cannot be heard, so that the caller reads the database again.
        """
        woken = asyncio.Event()
        self._waiters[job_id].add(woken)
        try:
            async with asyncio.timeout(seconds if self._hearing else min(seconds, BLIND_SECONDS)):
                await woken.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._forget(job_id, woken)

    def _forget(self, job_id: str, woken: asyncio.Event) -> None:
        self._waiters[job_id].discard(woken)
        if not self._waiters[job_id]:
            del self._waiters[job_id]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    self._hearing = True
                    await self._hear(subscription)
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                _log.debug("changes_not_heard", error=type(error).__name__)
            finally:
                self._hearing = False
            await asyncio.sleep(1)

    async def _hear(self, subscription: aioredis.client.PubSub) -> None:
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=2.0)
            if message is not None:
                for woken in self._waiters.get(message["data"].decode(), ()):
                    woken.set()
