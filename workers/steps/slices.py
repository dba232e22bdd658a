"""A turn of one batch: read its file, ask for its rows, or close it. Doubled and lost doorbells do no harm."""

import asyncio
import collections
import contextlib
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
import tenacity

from shared import clock, failpoints, logs
from shared.db import outages
from shared.domain import batches, faults, slices
from shared.services import readings, slice_turns
from shared.services import slices as slice_services
from shared.storage import troubles
from workers import context
from workers.steps import batch_rows, closing, places, reading

# After so long another batch may have this slot.
TURN_SECONDS = 3.0
# Answers that come this close together are written back together, once half of what was asked is back: while they are
# written down, the other half is in the air.
LINGER_SECONDS = 0.03
LOOK_AGAIN_SECONDS = 1.0
WRITE_SECONDS = 30.0
# Where an answer takes longer, nothing is gained by having the next row at hand.
QUICK_SECONDS = 0.5
# A turn takes about as long as so many rows for each in the air.
AHEAD = 2

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def run(at: context.Context, batch_id: str) -> None:
    """Take a slice of the batch, if a slot is free, and do what is due. May be repeated at any time."""
    if at.slots.locked() or at.stopping.is_set():
        return
    async with at.slots:
        structlog.contextvars.bind_contextvars(batch_id=batch_id)
        here = await slice_services.begin(at.db, batch_id, at.process_id, batch_rows.supply(at, 0))
        if here is None:
            return
        with at.slice_hand.holding({f"slice-{here.number}": here.number}):
            next_at = clock.now()
            try:
                next_at = await _work(at, here)
            except (slice_services.LostSliceError, readings.LostReadingError) as error:
                _log.warning("slice_lost", error=type(error).__name__)
            finally:
                await slice_services.end(at.db, here.number, here.batch, next_at)
        at.news.tell(batch_id, here.batch.tenant_id)
    at.hints.give()


async def _work(at: context.Context, here: slice_services.Slice) -> datetime:
    """Do what the batch's status asks for; answers when it is due again."""
    status = here.batch.status
    try:
        if status is batches.BatchStatus.VALIDATING:
            await reading.read(at, here)
        elif status is batches.BatchStatus.FINALIZING:
            await closing.close(at, here)
        else:
            return await _move_rows(at, here)
    except troubles.StorageUnavailableError as error:
        _log.warning("batch_waits", error=type(error).__name__)
        return clock.now() + timedelta(seconds=LOOK_AGAIN_SECONDS)
    return clock.now()


async def _move_rows(at: context.Context, here: slice_services.Slice) -> datetime:
    batch = await slice_services.tend(at.db, here.batch.id, clock.now())
    if batch is None or batch.status not in batches.WORKING:
        return clock.now()
    if batch.status is batches.BatchStatus.IN_PROGRESS and batch.reset_cursor is None:
        moved = await Stream(at, here).run()
        if moved:
            return clock.now()
        batch = await slice_services.tend(at.db, here.batch.id, clock.now()) or batch
    return await _when_again(at, batch)


async def _when_again(at: context.Context, batch: batches.Batch) -> datetime:
    now = clock.now()
    quick = batch.status is batches.BatchStatus.FINALIZING or batch.reset_cursor is not None
    if quick or (batch.status in batches.STOPPING and batch.counts.queued):
        return now
    due_at = await slice_services.waits_until(at.db, batch) or now + timedelta(seconds=LOOK_AGAIN_SECONDS)
    pause = timedelta(seconds=LOOK_AGAIN_SECONDS)
    return max(min(due_at, now + pause), now)


class Stream:
    """Keeps up to a slice of rows in the air for one turn: as answers come, others are asked. Where answers come
    quickly, twice as many rows wait in hand: they are asked while the answers are written down.
    """

    def __init__(self, at: context.Context, here: slice_services.Slice) -> None:
        self._at = at
        self._here = here
        self._air: dict[asyncio.Task[slice_services.Result], slices.Ask] = {}
        self._places = places.SlicePlaces(at.capacity, here.number)
        self._width = at.settings.slice_rows
        self._moved = 0
        self._asker = batch_rows.Asker(at, here)
        self._waiting: collections.deque[tuple[slices.Ask, datetime]] = collections.deque()
        self._at_once = 1
        self._back: list[asyncio.Task[slice_services.Result]] = []
        self._wanted = 1
        self._enough = asyncio.Event()

    async def run(self) -> int:
        """Ask until the turn is over and every answer is written back; answers how many rows were moved."""
        until = asyncio.get_running_loop().time() + TURN_SECONDS
        results: list[slice_services.Result] = []
        try:
            while True:
                over = asyncio.get_running_loop().time() >= until or self._at.stopping.is_set()
                await self._places.fill(0 if over else self._room(), self._at_once)
                await self._turn(results, 0 if over else self._room())
                # The first rows, and those of other models: only now it is known where there must be room.
                while not over and self._places.known.lacking and await self._places.fill(self._room(), self._at_once):
                    await self._turn([], self._room())
                if not self._in_hand:
                    return self._moved
                results = await self._answers()
        finally:
            for task in self._air:
                task.cancel()
            # Nothing of this turn goes on behind its back.
            await asyncio.gather(*self._air, return_exceptions=True)
            await self._places.close()

    @property
    def _in_hand(self) -> int:
        return len(self._air) + len(self._waiting)

    def _room(self) -> int:
        return max(self._width * (1 + self._ahead()) - self._in_hand, 0)

    def _ahead(self) -> int:
        """How many rows may wait for each in the air. They are written down as sent: only what is asked again under its
        key may be left behind by a process that dies, and nobody likes to wait who is so written down.
        """
        quick = self._asker.may_repeat and self._asker.seconds < QUICK_SECONDS
        return AHEAD if quick and not self._places.crowded else 0

    async def _turn(self, results: list[slice_services.Result], room: int) -> None:
        supply, now = replace(batch_rows.supply(self._at, room), leave=self._places.known), clock.now()
        # What comes back from now on is in the air for the books.
        held = slice_turns.InHand(len(self._air), len(self._waiting), self._ahead(), self._width)
        taken = slice_turns.Taken()
        # Answers are paid for: while Postgres is away they are kept, and written down when it is back.
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(outages.is_outage),
            wait=tenacity.wait_exponential(0.2, max=3),
            stop=tenacity.stop_after_delay(WRITE_SECONDS),
            reraise=True,
        ):
            with attempt:
                taken = await slice_turns.turn(self._at.db, self._here, results, supply, now, held)
        self._moved += len(results)
        self._at_once = max(taken.at_once, 1)
        for ask in taken.asks:
            self._places.asked(ask)
            self._waiting.append((ask, now))
        self._ask_more()

    def _ask_more(self) -> None:
        while self._waiting and len(self._air) - len(self._back) < self._at_once:
            ask, sent_at = self._waiting.popleft()
            task = asyncio.create_task(self._asker.ask(ask, ask.attempt(self._here.batch, sent_at)))
            task.add_done_callback(self._is_back)
            self._air[task] = ask

    async def _answers(self) -> list[slice_services.Result]:
        while not await self._came(1, places.RENEW_SECONDS):
            await self._places.renew()
        await self._came(len(self._air) // 2, LINGER_SECONDS)
        failpoints.reach(failpoints.Failpoint.ANSWER_READ)
        back, self._back = self._back, []
        results = []
        for task in back:
            self._places.answered(self._air.pop(task))
            results.append(task.result())
        if any(_is_throttled(result) for result in results):
            self._width = max(self._width // 2, 1)
        return results

    async def _came(self, count: int, seconds: float) -> bool:
        """Wait until so many answers are back, but no longer; whether they are."""
        self._wanted = count
        if len(self._back) < count:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), seconds)
        return len(self._back) >= count

    def _is_back(self, task: "asyncio.Task[slice_services.Result]") -> None:
        self._back.append(task)
        self._ask_more()
        if len(self._back) >= self._wanted:
            self._enough.set()


def _is_throttled(result: slice_services.Result) -> bool:
    ended = result.ended if isinstance(result, slices.Outcome) else None
    return ended is not None and ended.fault is faults.FaultKind.THROTTLED
