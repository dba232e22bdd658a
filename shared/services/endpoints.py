"""Watching endpoints: each process measures them every few seconds and keeps what it found as a frozen snapshot."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from shared import clock, logs
from shared.db import audit as audit_rows
from shared.db import endpoints as rows
from shared.db import engine
from shared.domain import audit, capacity, endpoints, faults, tenants

REFRESH_SECONDS = 3.0
CLOSE_SECONDS = 1.0
# A key that was rejected is tried again after this long, unless it is changed before; an empty purse may be filled.
HOLD_SECONDS = {endpoints.HoldReason.AUTH: 3600.0, endpoints.HoldReason.OUT_OF_CREDIT: 300.0}
_REASONS = {
    faults.FaultKind.AUTH: endpoints.HoldReason.AUTH,
    faults.FaultKind.OUT_OF_CREDIT: endpoints.HoldReason.OUT_OF_CREDIT,
    faults.FaultKind.THROTTLED: endpoints.HoldReason.THROTTLED,
}

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class Watch:
    """One a process. `current` is cheap, never waits, and is at most a few seconds old while Postgres answers."""

    def __init__(self, db: engine.Database, keys: Mapping[str, Sequence[str]], reload: Callable[[], None]) -> None:
        """`keys` by provider; `reload` reads the catalog again and never raises."""
        self._db = db
        self._fingerprints = {name: tuple(_fingerprint(key) for key in values) for name, values in keys.items()}
        self._reload = reload
        self._reload_number: int | None = None
        self._current = endpoints.NOTHING_KNOWN
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def current(self) -> endpoints.Snapshot:
        """What is known now. Take it once a decision."""
        return self._current

    def start(self) -> None:
        """Begin watching; needs a running loop."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._watch(), name="endpoints")

    async def close(self) -> None:
        """Stop watching. May be repeated."""
        if self._task is None:
            return
        # Not by cancelling: a driver that is cancelled in a statement may answer with an error of its own, which
        # `_watch` would take for Postgres being away, and watch on for ever.
        self._stopping.set()
        done, _ = await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS / 2)
        self._task = None

    async def refresh(self) -> endpoints.Snapshot:
        """Measure now. Reads only; raises what the database raises."""
        now = clock.now()
        async with self._db.transaction() as connection:
            health = await rows.health(connection, now)
            holds = await rows.holds(connection, now)
            number = await rows.reload_number(connection)
        credentials = endpoints.usable_credentials(self._fingerprints, holds, now)
        self._tell_changes(health)
        self._current = endpoints.Snapshot(now, health, holds, credentials)
        if self._reload_number is not None and number > self._reload_number:
            await asyncio.to_thread(self._reload)
        self._reload_number = max(number, self._reload_number or 0)
        return self._current

    def hold_of(self, fault: faults.Fault, endpoint: str, credential: int, now: datetime) -> endpoints.Hold | None:
        """What a provider's refusal means for all jobs: None for most faults."""
        reason = _REASONS.get(fault.kind)
        if reason is None:
            return None
        if reason is endpoints.HoldReason.THROTTLED:
            seconds = min(fault.retry_after_seconds or 0.0, capacity.LONGEST_HOLD_SECONDS)
            until_at = now + timedelta(seconds=seconds)
            return endpoints.Hold(endpoint, credential, reason, until_at) if seconds else None
        provider = endpoint.rpartition("@")[2]
        known = self._fingerprints.get(provider, ())
        fingerprint = known[credential] if credential < len(known) else ""
        return endpoints.Hold(provider, credential, reason, now + timedelta(seconds=HOLD_SECONDS[reason]), fingerprint)

    async def hold(self, wanted: endpoints.Hold) -> None:
        """Write down, for all processes, that an endpoint or a key is not to be asked. Commits. May be repeated."""
        async with self._db.transaction() as connection:
            await rows.hold(connection, wanted, clock.now())
        if wanted.reason is endpoints.HoldReason.THROTTLED:
            return
        # Loud: nothing but an operator mends it.
        _log.error("key_rejected", provider=wanted.subject, credential=wanted.credential, reason=wanted.reason)
        holds = (*self._current.holds, wanted)
        credentials = endpoints.usable_credentials(self._fingerprints, holds, clock.now())
        self._current = replace(self._current, holds=holds, credentials=credentials)

    def _tell_changes(self, health: Mapping[str, endpoints.Health]) -> None:
        for name, found in health.items():
            before = self._current.of(name).breaker
            if found.breaker is not before:
                _log.warning("breaker", endpoint=name, before=before, now=found.breaker)

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - the old snapshot serves until Postgres is back
                _log.warning("endpoints_not_measured", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._stopping.wait()


async def wish_reload(db: engine.Database, now: datetime) -> None:
    """Ask every process to read the catalog again, and trust all keys once more. Commits. May be repeated."""
    async with db.transaction() as connection:
        await rows.wish_reload(connection, now)
        await audit_rows.append(connection, tenants.HOUSE_ID, audit.Action.CATALOG_RELOADED, tenants.HOUSE_ID, now)
        released = await rows.release_keys(connection)
        await rows.forget_past(connection, now)
    _log.info("catalog_reload_wished", keys_trusted_again=released)


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
