"""Carrying deliveries: a process claims what is due and posts it, and writes back many tries at once. Neither waits for
the other, so that there is always something to post.

A doorbell only wakes the courier, and its task is over at once: a receiver that hangs holds a slot of its own here,
never a thread of the worker. What the process holds when it dies is given back by the sweep.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from shared import clock, ids, logs, metrics, tracing
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
# So many posts are begun before the answers to others are heard.
GROUP = 25

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
        self._work, self._back = asyncio.Event(), asyncio.Event()
        # By id and fence: what a sweep has given back may be claimed again while the first post is out.
        self._out: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._made: list[deliveries.Outcome] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._may_hold_strays = False
        self._at_rest = asyncio.Event()

    def start(self) -> None:
        """Begin; nothing is done until `wake`."""
        self._pumps = [
            asyncio.create_task(self._keep(self._work, self._take), name="courier-takes"),
            asyncio.create_task(self._keep(self._back, self._tell), name="courier-tells"),
        ]

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
        """Stop claiming, give the posts that are out a moment to end, write down what is known, and give back the rest.
        May be repeated.
        """
        if not self._pumps:
            return
        for pump in self._pumps:
            await _cancel(pump)
        self._pumps = []
        if self._out:
            await asyncio.wait(self._out.values(), timeout=5)
        for task in list(self._out.values()):
            await _cancel(task)
        with contextlib.suppress(Exception):  # the sweep gives everything back if we cannot
            await self._tell()
            await services.release_strays(self._db, self._owner, [])
        await self._poster.close()

    async def _keep(self, wanted: asyncio.Event, turn: Callable[[], Awaitable[None]]) -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            began = time.monotonic()
            try:
                await turn()
            except Exception as error:  # noqa: BLE001 - Postgres is away; what was made is kept until it is written
                _log.warning("courier_waits", error=type(error).__name__)
                self._may_hold_strays = True
                await asyncio.sleep(AFTER_AN_OUTAGE_SECONDS)
                wanted.set()
            # What becomes due, or comes back, in these milliseconds is claimed, or written down, together.
            await asyncio.sleep(began + GATHERING_SECONDS - time.monotonic())

    async def _take(self) -> None:
        """Send out what is due."""
        if self._may_hold_strays:
            self._may_hold_strays = False  # `_keep` says so again if this fails
            await services.release_strays(self._db, self._owner, self._known())
        room = self._rules.capacity - self.held
        if room <= 0:
            return
        taken = await services.take(self._db, self._keyring, self._owner, self._rules.limits, room, clock.now())
        for number, ready in enumerate(taken):
            self._out[_claim(ready)] = asyncio.create_task(self._carry(ready))
            if number % GROUP == GROUP - 1:
                await asyncio.sleep(0)
        if not (self.held or self._work.is_set() or self._back.is_set()):
            self._at_rest.set()

    def _known(self) -> list[str]:
        return [*(delivery_id for delivery_id, _ in self._out), *(outcome.due.delivery.id for outcome in self._made)]

    async def _tell(self) -> None:
        """Write down what came back, which makes room."""
        made = list(self._made)
        await services.tell(self._db, self._owner, made, self._rules.limits, clock.now())
        del self._made[: len(made)]
        # Also what this kept locked was passed over, and may be claimed now.
        self._work.set()

    async def _carry(self, ready: services.Ready) -> None:
        try:
            tried = await self._try(ready)
            verdict = deliveries.judge(ready.due, tried, self._rules.retry_seconds, clock.now())
            self._made.append(deliveries.Outcome(ready.due, tried, verdict))
        except Exception as error:  # noqa: BLE001 - ours, not the receiver's: somebody else may do better
            _log.error("delivery_not_tried", delivery=ready.due.delivery.id, error=type(error).__name__)
            self._may_hold_strays = True
        finally:
            del self._out[_claim(ready)]
            self._back.set()

    async def _try(self, ready: services.Ready) -> tries.Try:
        started_at, due = clock.now(), ready.due
        if not ready.signers:
            return _tried(due.delivery, started_at, posts.Posted(None, "cannot_sign", 0.0, None))
        body, signed = _signed(ready, int(started_at.timestamp()))
        headers = {"user-agent": USER_AGENT, **ready.headers, "content-type": "application/json", **signed}
        tried = _tried(due.delivery, started_at, await self._poster.post(due.url, headers, body))
        _count(tried, due)
        return tried


def _claim(ready: services.Ready) -> tuple[str, int]:
    return ready.due.delivery.id, ready.due.delivery.fence


def _signed(ready: services.Ready, timestamp: int) -> tuple[bytes, dict[str, str]]:
    """What is sent, in the form its owner asked for, and the headers that prove where it comes from."""
    due = ready.due
    theirs: dict[str, str] = {}
    body = due.body.encode()
    if due.delivery.format is envelopes.Envelope.OPENROUTER:
        body = openrouter.body(due.body)
        theirs = openrouter.headers(ready.signers[0].secret, due.body, timestamp, body)
    return body, {**theirs, **signatures.headers(ready.signers, due.delivery.event_id, timestamp, body)}


def _count(tried: tries.Try, due: deliveries.Due) -> None:
    metrics.WEBHOOK_TRIES.labels("good" if tried.good else tried.error or f"{(tried.status_code or 0) // 100}xx").inc()
    if due.delivery.subject_id.startswith(ids.Prefix.JOB):
        tracing.note("webhook.post", due.delivery.subject_id, tried.started_at)


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
        response_headers=dict(answer.headers) if answer else {},
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
