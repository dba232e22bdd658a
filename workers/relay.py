"""`python -m workers.relay`: rings the workers for whatever is due, and looks after what was forgotten.

It holds no state: two relays may run, and one that dies is missed by nobody for longer than a tick.
"""

import asyncio
import contextlib
import dataclasses
import math
import signal
from datetime import datetime

import asyncpg
import structlog
import uvloop

from shared import clock, collector, failpoints, logs, metrics, settings
from shared.db import engine
from shared.domain import receivers
from shared.queues import hints
from shared.services import claims, deliveries, due, erasures, events, slices, upkeep
from shared.storage import bucket, objects
from workers import doorbells
from workers import metrics as exposition
from workers.steps import stop

TICK_SECONDS = 1.0
SWEEP_SECONDS = 2.0
UPKEEP_SECONDS = 10.0
RING_BATCH = 500
POLL_DOORBELLS = 4
DELIVERY_DOORBELLS = 2
FORGET_BATCH = 500
# Polls stay due until a worker takes them; ringing for the same ones all the time would flood the broker.
POLL_RING_SECONDS = 0.2
# Hints that come closer together than this are one round; the first one after a pause begins a round at once.
ROUND_SECONDS = 0.02

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class Relay:
    """Two endless jobs: ringing for what is due, and sweeping up what a dead process left."""

    def __init__(self, configured: settings.Settings) -> None:
        self._settings = configured
        url = configured.database_url.get_secret_value()
        self._dsn = hints.dsn(url)
        self._db = engine.Database(url, 4, "relay", configured.public_url)
        self._store = objects.Objects(bucket.location_of(configured))
        self._bells = doorbells.Doorbells()
        self._woken = asyncio.Event()
        self._limits = receivers.Limits(in_flight=configured.webhook_concurrency)
        self._round_at = 0.0
        # When a delivery may be sent next, as of the last round: a change since then has given a hint.
        self._delivery_at: datetime | None = None
        self._polls_rung_at = 0.0
        self._upkeep_goes_on = False
        self._deliveries_rung_at = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._for_ever(self._ring, self._pause), name="ring")
                group.create_task(self._for_ever(self._sweep, self._rest), name="sweep")
                group.create_task(self._for_ever(self._bells.send_canaries, self._rest_long), name="canaries")
                group.create_task(self._for_ever(self._upkeep, self._rest_from_upkeep), name="upkeep")
                group.create_task(self._listen(), name="listen")
        finally:
            self._bells.close()
            self._store.close()
            await self._db.close()

    async def _ring(self) -> None:
        self._round_at = asyncio.get_running_loop().time()
        found = await due.take(self._db, clock.now(), RING_BATCH, self._settings.worker_threads)
        self._delivery_at = await deliveries.next_at(self._db, self._limits)
        turns = await due.take_slices(self._db, clock.now(), self._settings.worker_slices, self._settings.slice_rows)
        failpoints.reach(failpoints.Failpoint.RUNG)
        polls, sendings = self._poll_doorbells(found.polls), self._delivery_doorbells(self._delivery_at)
        try:
            await self._bells.ring(found.doorbells(), polls, sendings, turns)
        except Exception:
            await due.not_rung(self._db, found.job_ids, clock.now())
            raise
        metrics.RUNG_AGAIN.inc(found.rung_again)
        if found.rung_again:
            _log.warning("rung_again", jobs=found.rung_again)
        if len(found.job_ids) == RING_BATCH:
            self._woken.set()

    def _poll_doorbells(self, due_polls: int) -> int:
        now = asyncio.get_running_loop().time()
        if not due_polls or now - self._polls_rung_at < POLL_RING_SECONDS:
            return 0
        self._polls_rung_at = now
        return min(math.ceil(due_polls / self._settings.poll_batch_size), POLL_DOORBELLS)

    def _delivery_doorbells(self, due_at: datetime | None) -> int:
        """Each wakes the pump of one worker process, which goes on by itself until nothing is due."""
        now = asyncio.get_running_loop().time()
        if due_at is None or due_at > clock.now() or now - self._deliveries_rung_at < POLL_RING_SECONDS:
            return 0
        self._deliveries_rung_at = now
        return DELIVERY_DOORBELLS

    async def _sweep(self) -> None:
        rescued = await claims.rescue(self._db)
        metrics.RESCUED.inc(len(rescued))
        undelivered = await deliveries.rescue(self._db)
        if undelivered:
            _log.warning("rescued_deliveries", deliveries=undelivered)
        if rescued:
            _log.warning("rescued", jobs=len(rescued))
        overdue = await due.wake_overdue(self._db, clock.now(), stop.COLLECT_GRACE_SECONDS)
        lost = await slices.rescue(self._db)
        if lost:
            _log.warning("slices_rescued", slices=lost)
        if rescued or overdue or undelivered or lost:
            self._woken.set()
        await events.forget_old(self._db, clock.now(), self._settings.event_retention_seconds, FORGET_BATCH)

    async def _upkeep(self) -> None:
        done = await upkeep.run(self._db, self._store, clock.now())
        erased = await erasures.run(self._db, self._store, self._settings.batch_retention_seconds, clock.now())
        self._upkeep_goes_on = done.is_full or erased > 0
        if any(dataclasses.astuple(done)):
            _log.info("upkeep", **dataclasses.asdict(done))

    async def _rest_from_upkeep(self) -> None:
        await asyncio.sleep(0 if self._upkeep_goes_on else UPKEEP_SECONDS)

    async def _pause(self) -> None:
        """Until something is due, a hint comes, or a second has passed."""
        moments = (await due.next_at(self._db), self._delivery_at)
        next_at = min((moment for moment in moments if moment is not None), default=None)
        wait = TICK_SECONDS if next_at is None else (next_at - clock.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait, TICK_SECONDS) if wait > 0 else POLL_RING_SECONDS):
                await self._woken.wait()
        await asyncio.sleep(self._round_at + ROUND_SECONDS - asyncio.get_running_loop().time())
        self._woken.clear()

    async def _rest(self) -> None:
        await asyncio.sleep(SWEEP_SECONDS)

    async def _rest_long(self) -> None:
        await asyncio.sleep(doorbells.CANARY_SECONDS)

    async def _for_ever(self, work: doorbells.Work, pause: doorbells.Work) -> None:
        while True:
            try:
                await work()
                await pause()
            except Exception as error:  # noqa: BLE001 - Postgres or Redis is away; rows keep what is due
                _log.warning("relay_waits", doing=work.__name__, error=type(error).__name__)
                await asyncio.sleep(TICK_SECONDS)

    async def _listen(self) -> None:
        """Hear NOTIFY. A lost connection only costs the tick."""
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._hear()
            await asyncio.sleep(TICK_SECONDS)

    async def _hear(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(hints.CHANNEL, lambda *_: self._woken.set())
            await closed.wait()
        finally:
            connection.terminate()


async def _run_until_told(configured: settings.Settings) -> None:
    task = asyncio.create_task(Relay(configured).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    # The signal to read the catalog again goes to all processes; the relay knows no models.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: _log.info("hangup_ignored"))
    collector.spare()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run until SIGTERM."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    failpoints.arm(configured.failpoints, configured.failpoints_path)
    exposition.serve(configured)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_until_told(configured))


if __name__ == "__main__":
    main()
