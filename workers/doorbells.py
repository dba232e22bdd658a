"""Putting doorbells into the broker: many in one round trip, with short timeouts, in a thread."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import kombu

from shared import failpoints, metrics
from shared.queues import names
from workers import app

Work = Callable[[], Awaitable[None]]
BATCH = 500
# A doorbell for due polls or deliveries that nobody took in this time says nothing any more.
BATCH_EXPIRES_SECONDS = 30
SLICE_EXPIRES_SECONDS = 10
CANARY_SECONDS = 15

_QUEUES = {names.Task.POLL_DUE: names.Queue.POLLS, names.Task.DELIVER_DUE: names.Queue.DELIVERIES}


class Doorbells:
    """The relay's side of the broker. Everything rung may be lost: rows are rung for again."""

    def __init__(self) -> None:
        self._threads = futures.ThreadPoolExecutor(1, thread_name_prefix="doorbells")

    async def ring(
        self,
        job_ids: Sequence[Sequence[str]],
        poll_doorbells: int,
        delivery_doorbells: int,
        slices: Sequence[tuple[str, int]],
    ) -> None:
        """Publish doorbells for these groups of jobs, some for due polls and deliveries, and one a slice of a batch.
        Raises what the broker raises, within seconds.
        """
        batches = {names.Task.POLL_DUE: poll_doorbells, names.Task.DELIVER_DUE: delivery_doorbells}
        if job_ids or slices or any(batches.values()):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, _publish, job_ids, batches, slices)

    async def send_canaries(self) -> None:
        """Send one canary into every queue. Raises what the broker raises."""
        await asyncio.get_running_loop().run_in_executor(self._threads, _publish_canaries)

    def close(self) -> None:
        """Let go of the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _publish(
    job_ids: Sequence[Sequence[str]], batches: Mapping[names.Task, int], slices: Sequence[tuple[str, int]]
) -> None:
    with _producer() as producer:
        for some in job_ids:
            _send(producer, names.Task.RUN_JOBS, names.Queue.JOBS, *some)
        for task, number in batches.items():
            for _ in range(number):
                _send(producer, task, _QUEUES[task], expires_seconds=BATCH_EXPIRES_SECONDS)
        for batch_id in (batch_id for batch_id, count in slices for _ in range(count)):
            _send(producer, names.Task.RUN_SLICE, names.Queue.SLICES, batch_id, expires_seconds=SLICE_EXPIRES_SECONDS)
    failpoints.reach(failpoints.Failpoint.DOORBELL_SENT)


def _publish_canaries() -> None:
    with _producer() as producer:
        for queue in names.Queue:
            _send(producer, names.Task.CANARY, queue, queue.value, expires_seconds=CANARY_SECONDS)


@contextlib.contextmanager
def _producer() -> Iterator[kombu.Producer]:
    """A producer that sends all at once at the end (kombu 5.7's `batch`, newer than its stubs)."""
    with app.app.producer_pool.acquire(block=True, timeout=5) as producer:
        batched: Any = producer
        with batched.batch(BATCH):
            yield producer


def _send(
    producer: kombu.Producer, task: names.Task, queue: names.Queue, *ids: str, expires_seconds: float | None = None
) -> None:
    metrics.DOORBELLS.labels(queue).inc()
    app.app.send_task(task.value, args=ids, producer=producer, queue=queue.value, retry=False, expires=expires_seconds)
