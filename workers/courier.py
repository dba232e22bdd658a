"""Carrying deliveries: one pump a process that claims what is due, posts it, and writes back many tries at once.

A doorbell only wakes the pump, and its task is over at once: a receiver that hangs holds a slot of its own here, never
a thread of the worker. What the process holds when it dies is given back by the sweep.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

import structlog

from shared import clock, logs
from shared.db import engine
from shared.domain import deliveries, envelopes, receivers, tries
from shared.outbound import posts
from shared.services import deliveries as services
from shared.services import signing
from shared.webhooks import openrouter
from shared.webhooks import signing as signatures

USER_AGENT = "genqueue-webhooks/1"
AFTER_AN_OUTAGE_SECONDS = 1.0
GATHERING_SECONDS = 0.005

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """How this deployment delivers. `capacity` is how many posts a process has out at a time."""

    retry_seconds: tuple[float, ...]
    limits: receivers.Limits
    capacity: int = 500


class Courier:
    """One a process. `start` needs a running loop."""

    def __init__(
        self, db: engine.Database, keyring: signing.Keyring, poster: posts.Poster, owner: str, rules: Rules
    ) -> None:
        self._db, self._keyring, self._poster, self._owner, self._rules = db, keyring, poster, owner, rules
        self._work = asyncio.Event()
        self._out: dict[str, asyncio.Task[None]] = {}
        self._made: list[deliveries.Outcome] = []
        self._pump: asyncio.Task[None] | None = None
        self._may_hold_strays = False
        self._at_rest = asyncio.Event()

    def start(self) -> None:
        """Begin; nothing is done until `wake`."""
        self._pump = asyncio.create_task(self._run(), name="courier")

    def wake(self) -> None:
        """Look for what is due. Never waits."""
        self._at_rest.clear()
        self._work.set()

    async def rest(self) -> None:
        """Wait until nothing is out, nothing is to be written down, and nothing more was due."""
        await self._at_rest.wait()

    @property
    def held(self) -> int:
        """How many deliveries are out, or back and not yet written down."""
        return len(self._out) + len(self._made)

    async def close(self) -> None:
        """Stop claiming, give the posts that are out a moment to end, and write down what is known. May be repeated."""
        if self._pump is None:
            return
        await _cancel(self._pump)
        self._pump = None
        if self._out:
            await asyncio.wait(self._out.values(), timeout=5)
        for task in list(self._out.values()):
            await _cancel(task)
        with contextlib.suppress(Exception):  # the sweep gives everything back if we cannot
            await self._tell()
        await self._poster.close()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            # What comes back in these milliseconds is written down, and claimed anew, together.
            await asyncio.sleep(GATHERING_SECONDS)
            self._work.clear()
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - Postgres is away; what was made is kept until it is written
                _log.warning("courier_waits", error=type(error).__name__)
                self._may_hold_strays = True
                await asyncio.sleep(AFTER_AN_OUTAGE_SECONDS)
                self._work.set()

    async def _turn(self) -> None:
        """Write down what came back, which makes room, and send out what is due."""
        await self._tell()
        if self._may_hold_strays:
            await services.release_strays(self._db, self._owner, [*self._out, *self._unwritten()])
            self._may_hold_strays = False
        room = self._rules.capacity - self.held
        if room <= 0:
            return
        taken = await services.take(self._db, self._keyring, self._owner, self._rules.limits, room, clock.now())
        for ready in taken:
            self._out[ready.due.delivery.id] = asyncio.create_task(self._carry(ready))
        if not self.held and not self._work.is_set():
            self._at_rest.set()

    def _unwritten(self) -> list[str]:
        return [outcome.due.delivery.id for outcome in self._made]

    async def _tell(self) -> None:
        made = list(self._made)
        await services.tell(self._db, self._owner, made, self._rules.limits, clock.now())
        del self._made[: len(made)]

    async def _carry(self, ready: services.Ready) -> None:
        try:
            tried = await self._try(ready)
            verdict = deliveries.judge(ready.due, tried, self._rules.retry_seconds, clock.now())
            self._made.append(deliveries.Outcome(ready.due, tried, verdict))
        except Exception as error:  # noqa: BLE001 - ours, not the receiver's: somebody else may do better
            _log.error("delivery_not_tried", delivery=ready.due.delivery.id, error=type(error).__name__)
            self._may_hold_strays = True
        finally:
            del self._out[ready.due.delivery.id]
            self._work.set()

    async def _try(self, ready: services.Ready) -> tries.Try:
        started_at, due = clock.now(), ready.due
        if not ready.signers:
            return _tried(due.delivery, started_at, posts.Posted(None, "cannot_sign", 0.0, None))
        body, signed = _signed(ready, int(started_at.timestamp()))
        headers = {"user-agent": USER_AGENT, **ready.headers, "content-type": "application/json", **signed}
        return _tried(due.delivery, started_at, await self._poster.post(due.url, headers, body))


def _signed(ready: services.Ready, timestamp: int) -> tuple[bytes, dict[str, str]]:
    """What is sent, in the form its owner asked for, and the headers that prove where it comes from."""
    due = ready.due
    theirs: dict[str, str] = {}
    body = due.body.encode()
    if due.delivery.format is envelopes.Envelope.OPENROUTER:
        body = openrouter.body(due.body)
        theirs = openrouter.headers(ready.signers[0].secret, due.body, timestamp, body)
    return body, {**theirs, **signatures.headers(ready.signers, due.delivery.event_id, timestamp, body)}


def _tried(delivery: deliveries.Delivery, started_at: datetime, posted: posts.Posted) -> tries.Try:
    answer = posted.answer
    return tries.Try(
        delivery_id=delivery.id,
        number=delivery.try_count + 1,
        trigger=delivery.trigger,
        started_at=started_at,
        duration_seconds=round(posted.duration_seconds, 4),
        status_code=answer.status if answer else None,
        error=posted.error,
        address=posted.address,
        response_head=answer.head if answer else b"",
        response_headers={name.lower(): value for name, value in answer.headers.items()} if answer else {},
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
