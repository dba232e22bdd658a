"""Putting doorbells into the broker: many in one round trip, with short timeouts, in a thread."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent import futures
from typing import Any

import kombu

from shared import failpoints
from shared.queues import names
from workers import app

Work = Callable[[], Awaitable[None]]
BATCH = 500
# A doorbell for polls that nobody took in this time says nothing any more.
POLL_EXPIRES_SECONDS = 30


class Doorbells:
    """The relay's side of the broker. Everything rung may be lost: rows are rung for again."""

    def __init__(self) -> None:
        self._threads = futures.ThreadPoolExecutor(1, thread_name_prefix="doorbells")

    async def ring(self, job_ids: Sequence[str], poll_doorbells: int) -> None:
        """Publish one doorbell a job, and some for due polls. Raises what the broker raises, within seconds."""
        if job_ids or poll_doorbells:
            await asyncio.get_running_loop().run_in_executor(self._threads, _publish, job_ids, poll_doorbells)

    def close(self) -> None:
        """Let go of the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _publish(job_ids: Sequence[str], poll_doorbells: int) -> None:
    with app.app.producer_pool.acquire(block=True, timeout=5) as producer, _batched(producer):
        for job_id in job_ids:
            _send(producer, names.Task.RUN_JOB, job_id)
        for _ in range(poll_doorbells):
            _send(producer, names.Task.POLL_DUE, expires_seconds=POLL_EXPIRES_SECONDS)
    failpoints.reach(failpoints.Failpoint.DOORBELL_SENT)


def _batched(producer: Any) -> contextlib.AbstractContextManager[object]:  # noqa: ANN401 - newer than its stubs
    batch: contextlib.AbstractContextManager[object] = producer.batch(BATCH)
    return batch


def _send(producer: kombu.Producer, task: names.Task, *ids: str, expires_seconds: float | None = None) -> None:
    queue = names.QUEUE_OF[task].value
    app.app.send_task(task.value, args=ids, producer=producer, queue=queue, retry=False, expires=expires_seconds)
