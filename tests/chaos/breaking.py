"""Carrying a schedule out."""

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping

import httpx
import redis.asyncio

from tests.chaos import proxy, rig, schedule

Deed = Callable[[schedule.Fault], Awaitable[bool]]
_K = schedule.Kind


class Breaker:
    """Breaks the parts of one rig, and mends each when its time is over."""

    def __init__(self, broken: rig.Rig, say: Callable[[str], None]) -> None:
        self._rig = broken
        self._stack = broken.running
        self._say = say
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.done: list[schedule.Fault] = []
        self._deeds: Mapping[schedule.Kind, Deed] = {
            **dict.fromkeys(
                (_K.KILL_WORKER, _K.KILL_RELAY, _K.KILL_API, _K.KILL_PROVIDER, _K.RESTART_REDIS), self._kill
            ),
            **dict.fromkeys((_K.PAUSE_WORKER, _K.PAUSE_RELAY, _K.PAUSE_POSTGRES, _K.PAUSE_REDIS), self._pause),
            **dict.fromkeys((_K.STORAGE_LINE, _K.PROVIDER_LINE, _K.BROKER_LINE, _K.DATABASE_LINE), self._poison),
            _K.STOP_WORKER: self._stop,
            _K.FLUSH_REDIS: self._flush,
            _K.RESTART_POSTGRES: self._restart_postgres,
            _K.PROVIDER_FAULTS: self._provider_faults,
            _K.FAILPOINT: self._failpoint,
        }

    async def run(self, faults: Iterable[schedule.Fault]) -> None:
        """Break everything in its turn, and return when all is mended."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await proxy.pause(begun + fault.at_seconds - time.monotonic())
                group.create_task(self._break(fault))

    async def _break(self, fault: schedule.Fault) -> None:
        async with self._locks[fault.target]:
            self._say(str(fault))
            if await self._deeds[fault.kind](fault):
                self.done.append(fault)

    async def _kill(self, fault: schedule.Fault, number: int = signal.SIGKILL) -> bool:
        await self._stack.kill(fault.target, number)
        await proxy.pause(fault.seconds)
        await self._stack.restart(fault.target)
        return True

    async def _restart_postgres(self, fault: schedule.Fault) -> bool:
        return await self._kill(fault, signal.SIGQUIT)

    async def _stop(self, fault: schedule.Fault) -> bool:
        return await self._kill(fault, signal.SIGTERM)

    async def _pause(self, fault: schedule.Fault) -> bool:
        if fault.target not in self._stack.pids:
            return False
        self._stack.pause(fault.target)
        await proxy.pause(fault.seconds)
        self._stack.resume(fault.target)
        return True

    async def _flush(self, _: schedule.Fault) -> bool:
        async with redis.asyncio.from_url(self._stack.env["GENQUEUE_REDIS_URL"], socket_timeout=5) as client:
            await client.flushall()
        return True

    async def _poison(self, fault: schedule.Fault) -> bool:
        line = self._rig.lines[fault.target]
        line.poison(fault.toxic or proxy.Toxic(proxy.Toxin.DOWN))
        await proxy.pause(fault.seconds)
        await line.heal()
        return True

    async def _provider_faults(self, fault: schedule.Fault) -> bool:
        dice = random.Random(fault.seed)  # noqa: S311 - a test's dice
        rates = {name: dice.uniform(0, 0.3) for name in ("drop_rate", "error_rate", "garbage_rate", "cut_rate")}
        status = dice.choice([500, 502, 503, 429])
        url = self._stack.env["GENQUEUE_SANDBOX_URL"]
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            await client.post("/faults", json={**rates, "status": status, "seed": fault.seed})
            await proxy.pause(fault.seconds)
            await client.delete("/faults")
        return True

    async def _failpoint(self, fault: schedule.Fault) -> bool:
        if fault.point is None:
            return False
        self._rig.arm(fault.point)
        until = time.monotonic() + fault.seconds
        while not self._rig.has_fired(fault.point) and time.monotonic() < until:
            await proxy.pause(0.1)
        fired = self._rig.has_fired(fault.point)
        self._rig.disarm(fault.point)
        return fired
