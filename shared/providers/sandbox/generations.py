"""An accepted generation. What it is doing is a function of the time, so nothing has to run for it
and a restart finds it exactly where it would have been.
"""

from __future__ import annotations

import asyncio
import collections.abc
import dataclasses
import enum
import math

from shared.providers.sandbox import asks, variants

VIDEO_MICROS_PER_SECOND = 50_000
IMAGE_MICROS = 10_000
TEXT_MICROS = 500
USUAL_WORK_SECONDS = {variants.Kind.VIDEO: 1.5, variants.Kind.IMAGE: 0.5, variants.Kind.TEXT: 0.5}
EMBEDDING_MICROS = 100
LONGEST_QUEUE_SECONDS = 0.5
CANCEL_SECONDS = 0.5
HUNG_PROGRESS = 42


class Status(enum.StrEnum):
    """Where a generation stands. The last three are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


@dataclasses.dataclass(slots=True)
class Generation:
    """One accepted ask. Times are seconds since the epoch; only the last two fields ever change."""

    id: str
    account: str
    ask: asks.Ask
    model: variants.Model
    idempotency_key: str
    origin: str
    accepted_at: float
    cost_micros: int
    cancelled_at: float | None = None
    called_back: bool = False

    def starts_at(self) -> float:
        """When the queue is over and the work begins."""
        queue = self.ask.input.sandbox_queue_seconds
        if queue is None:
            queue = min(self.work_seconds() * 0.1, LONGEST_QUEUE_SECONDS)
        return self.accepted_at + queue

    def work_seconds(self) -> float:
        """The seconds of work after the queue: the caller's wish, the variant's, or the usual."""
        wished = self.ask.input.sandbox_seconds
        if wished is not None:
            return wished
        if self.model.variant.work_seconds is not None:
            return self.model.variant.work_seconds
        return USUAL_WORK_SECONDS[self.model.kind] if self.model.asynchronous else 0

    def finishes_at(self) -> float:
        """When the work ends by itself; infinite when it hangs."""
        if self.model.variant.course is variants.Course.HANG:
            return math.inf
        return self.starts_at() + self.work_seconds()

    def ends_at(self) -> float:
        """When it becomes terminal, by finishing or by a cancel that came in time."""
        if self.cancelled_at is None:
            return self.finishes_at()
        return min(self.cancelled_at, self.finishes_at())

    async def over(self, now: collections.abc.Callable[[], float]) -> None:
        """Wait until it is terminal."""
        # In a loop because sleep keeps another clock than `now` and may end a moment early.
        while (wait := self.ends_at() - now()) > 0:  # noqa: ASYNC110 nobody acts at the end, so nobody can tell
            await asyncio.sleep(wait)

    def is_lost(self, now: float) -> bool:
        """Whether the sandbox pretends that it never heard of it (half way through the work)."""
        half_way = self.starts_at() + self.work_seconds() / 2
        return self.model.variant.course is variants.Course.LOSE and now >= half_way

    def status(self, now: float) -> Status:
        """Where it stands at `now`."""
        finishes_at = self.finishes_at()
        if self.cancelled_at is not None and self.cancelled_at <= min(now, finishes_at):
            return Status.CANCELLED
        if now >= finishes_at:
            failed = self.model.variant.course is variants.Course.FAIL
            return Status.FAILED if failed else Status.SUCCEEDED
        return Status.QUEUED if now < self.starts_at() else Status.RUNNING

    def progress(self, now: float) -> int:
        """0 to 100; steady with the time, stuck when it hangs."""
        if now >= self.finishes_at():
            return 100
        if self.model.variant.course is variants.Course.HANG:
            return HUNG_PROGRESS if now >= self.starts_at() else 0
        return max(0, min(99, int(100 * (now - self.starts_at()) / (self.work_seconds() or 1))))

    def charged_micros(self, now: float) -> int:
        """What is on the bill now: nothing for a failure (unless the variant says so) or for a
        cancel that came while it was queued, else the full price from acceptance on.
        """
        status = self.status(now)
        if status is Status.FAILED and not self.model.variant.charged_on_failure:
            return 0
        if status is Status.CANCELLED and (self.cancelled_at or 0) < self.starts_at():
            return 0
        return self.cost_micros

    def cancel(self, now: float) -> None:
        """Stop it: at once while queued, a moment later while it runs (it may finish before)."""
        delay = 0 if now < self.starts_at() else CANCEL_SECONDS
        self.cancelled_at = now + delay


def price(ask: asks.Ask) -> int:
    """The price in micro-dollars: videos by the second, images by the piece, texts flat."""
    if ask.kind is variants.Kind.VIDEO:
        return round(ask.input.duration * VIDEO_MICROS_PER_SECOND) * ask.input.n
    if ask.kind is variants.Kind.EMBEDDING:
        return EMBEDDING_MICROS
    return (IMAGE_MICROS if ask.kind is variants.Kind.IMAGE else TEXT_MICROS) * ask.input.n
