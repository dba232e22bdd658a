"""Carrying due polls: one pump a process that takes what is due, asks, and writes back many answers at once.

A doorbell only wakes the pump, and its task is over at once: a provider that is slow holds up its own jobs here, never
a thread of the worker nor the polls of others.
"""

import asyncio
import contextlib

import structlog

from shared import clock, failpoints, logs
from shared.domain import polls
from shared.services import polls as services
from workers import context
from workers.steps import poll

AFTER_AN_OUTAGE_SECONDS = 1.0
# What comes back within this time is written down together.
GATHERING_SECONDS = 0.01
CLOSE_SECONDS = 5.0

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class Poller:
    """One a process. `start` needs a running loop."""

    def __init__(self, at: context.Context) -> None:
        self._at = at
        self._work = asyncio.Event()
        self._may_be_more = False
        # By job: what is being asked now.
        self._out: dict[str, asyncio.Task[None]] = {}
        self._answers: list[polls.Answer] = []
        self._pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; nothing is done until `wake`."""
        self._pump = asyncio.create_task(self._run(), name="poller")

    def wake(self) -> None:
        """Look for what is due. Never waits."""
        self._may_be_more = True
        self._work.set()

    async def close(self) -> None:
        """Stop taking, give the polls that are out a moment to end, and write down what is known. May be repeated."""
        if self._pump is None:
            return
        await _cancel(self._pump)
        self._pump = None
        if self._out:
            await asyncio.wait(self._out.values(), timeout=CLOSE_SECONDS)
        for task in list(self._out.values()):
            await _cancel(task)
        with contextlib.suppress(Exception):  # only counts and progress are lost
            await self._note()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if self._out or self._answers:
                await asyncio.sleep(GATHERING_SECONDS)
            self._work.clear()
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - Postgres is away; what is due stays due
                _log.warning("poller_waits", error=type(error).__name__)
                await asyncio.sleep(AFTER_AN_OUTAGE_SECONDS)
                self._work.set()

    async def _turn(self) -> None:
        """Write down what came back, and meanwhile ask for what is due, as far as there is room."""
        await asyncio.gather(self._note(), self._take())

    async def _take(self) -> None:
        room = self._at.settings.poll_batch_size - len(self._out)
        if not self._may_be_more or room <= 0 or self._at.stopping.is_set() or not self._at.lease.holds():
            return
        self._may_be_more = False
        due = await services.take(self._at.db, clock.now(), room, lambda one: poll.pause_seconds(self._at, one))
        failpoints.reach(failpoints.Failpoint.CLAIMED)
        self._may_be_more = self._may_be_more or len(due) == room
        for one in due:
            if one.job_id not in self._out or one.must_end(clock.now()):
                self._out[one.job_id] = asyncio.create_task(self._poll(one))

    async def _note(self) -> None:
        answers, self._answers = self._answers, []
        changed = frozenset(await services.note(self._at.db, answers, clock.now()))
        for answer in answers:
            if answer.due.job_id in changed:
                self._at.news.tell(answer.due.job_id, answer.due.tenant_id)

    async def _poll(self, due: polls.Due) -> None:
        try:
            answer = await poll.poll(self._at, due)
            if answer is not None:
                self._answers.append(answer)
        except Exception as error:  # noqa: BLE001 - ours, not the provider's; the others go on
            # A claim it may have made is not in hand any more, so the next heartbeats give it back.
            _log.exception("poll_broke", job_id=due.job_id, error=type(error).__name__)
        finally:
            if self._out.get(due.job_id) is asyncio.current_task():
                del self._out[due.job_id]
            self._work.set()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
