"""Deliveries: taken in numbers, written back in numbers; shown to their owner, and sent again if wanted."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared import errors, ids
from shared.db import deliveries as rows
from shared.db import deliveries_log as log
from shared.db import engine, events
from shared.db import receivers as receiver_rows
from shared.db import tries as try_rows
from shared.domain import deliveries, receivers, tries
from shared.domain import events as domain_events
from shared.services import signing
from shared.webhooks import sealing
from shared.webhooks import signing as signatures

Filter = log.Filter
# For a lock; what could not be taken or told is tried again.
LONGEST_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed delivery with what signs it (nothing, if no key could be opened) and its receiver's own headers."""

    due: deliveries.Due
    signers: Sequence[signatures.Signer]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """One page of the log, newest first."""

    deliveries: tuple[deliveries.Delivery, ...]
    next_cursor: str | None


async def take(
    db: engine.Database,
    keyring: signing.Keyring,
    owner: str,
    limits: receivers.Limits,
    limit: int,
    now: datetime,
) -> list[Ready]:
    """Claim up to `limit` deliveries that may be sent now. Commits. May be repeated, and raced: each is taken once,
    and of one receiver never more than `limits.in_flight` are out at a time.
    """
    # A claim lost in a crash of Postgres is only made again; it need not wait for the disk.
    async with db.brisk(LONGEST_WAIT_SECONDS, to_disk=False) as connection:
        taken = await rows.take(connection, owner, now, limits, limit)
        owners = {due.receiver.owner_id: due.receiver.tenant_id for due in taken}
        signers = await signing.signers(connection, keyring, owners, now) if owners else {}
    return [
        Ready(due, signers[due.receiver.owner_id], _own_headers(keyring.sealer, due.receiver.sealed_headers))
        for due in taken
    ]


def _own_headers(sealer: sealing.Sealer, sealed: str | None) -> dict[str, str]:
    try:
        return dict(orjson.loads(sealer.open(sealed))) if sealed else {}
    except sealing.CannotOpenError:
        return {}


async def next_at(db: engine.Database, limits: receivers.Limits) -> datetime | None:
    """When something may be sent next, if anything waits."""
    async with db.reading() as connection:
        return await rows.next_at(connection, limits)


async def tell(
    db: engine.Database, owner: str, outcomes: Sequence[deliveries.Outcome], limits: receivers.Limits, now: datetime
) -> None:
    """Write down many tries: their deliveries, the health of their receivers, and who is disabled by that. Commits.
    May be repeated: what was written is not written again.
    """
    if not outcomes:
        return
    good = {outcome.due.receiver.id for outcome in outcomes if outcome.tried.good}
    bad = {outcome.due.receiver.id for outcome in outcomes if not outcome.tried.good}
    async with db.brisk(LONGEST_WAIT_SECONDS) as connection:
        # Receivers before deliveries, here and everywhere: two processes never wait for each other.
        locked = await try_rows.lock_receivers(connection, sorted(bad), sorted(good))
        written = await try_rows.write(connection, owner, outcomes)
        by_receiver: dict[str, list[deliveries.Outcome]] = defaultdict(list)
        for outcome in written:
            by_receiver[outcome.due.receiver.id].append(outcome)
        for receiver_id, receiver in locked.items():
            await _note_health(connection, receiver, by_receiver[receiver_id], limits, now)


async def _note_health(
    connection: engine.Connection,
    receiver: receivers.Receiver,
    outcomes: Sequence[deliveries.Outcome],
    limits: receivers.Limits,
    now: datetime,
) -> None:
    if not outcomes:
        return
    verdicts = [outcome.verdict for outcome in outcomes if not outcome.tried.good]
    health = receivers.WELL
    if len(verdicts) == len(outcomes):
        asked = max((verdict.asked_pause_seconds or 0.0 for verdict in verdicts), default=0.0)
        strikes = sum(verdict.is_strike for verdict in verdicts)
        health = receivers.after_failures(receiver, len(verdicts), strikes, asked, now, limits)
    await try_rows.note_health(connection, receiver.id, health)
    if receiver.implicit or receiver.disabled_at is not None:
        return
    if any(verdict.disables for verdict in verdicts):
        await _disable(connection, receiver, receivers.DisabledReason.GONE, now)
    elif receivers.is_hopeless(health, now, limits):
        await _disable(connection, receiver, receivers.DisabledReason.FAILING, now)


async def _disable(
    connection: engine.Connection, receiver: receivers.Receiver, reason: receivers.DisabledReason, now: datetime
) -> None:
    """Nothing more goes there, and the tenant's other receivers are told."""
    await receiver_rows.change(connection, receiver.id, disabled_at=now, disabled_reason=reason)
    await rows.drop_pending(connection, receiver.id, now)
    data = {"object": "receiver", "url": receiver.url, "reason": reason, "disabled_at": now}
    await events.append(
        connection, receiver.id, receiver.tenant_id, domain_events.EventType.RECEIVER_DISABLED, now, data
    )


async def rescue(db: engine.Database) -> int:
    """Give back the deliveries of processes that fell silent; answers how many. Commits. May be repeated."""
    async with db.transaction() as connection:
        return await rows.release_dead(connection)


async def release_strays(db: engine.Database, owner: str, known: Collection[str]) -> int:
    """Give back what this process claimed without learning of it; `known` is what it is at work on. Commits."""
    async with db.transaction() as connection:
        return await rows.release_strays(connection, owner, known)


async def list_page(
    db: engine.Database, tenant_id: str, wanted: Filter, cursor: str | None, limit: int
) -> DeliveryPage:
    """One page of the tenant's deliveries, newest first."""
    async with db.transaction() as connection:
        found = await log.page(connection, tenant_id, wanted, cursor, limit + 1)
    shown = found[:limit]
    return DeliveryPage(tuple(shown), shown[-1].id if len(found) > limit else None)


async def get(
    db: engine.Database, tenant_id: str, delivery_id: str
) -> tuple[deliveries.Delivery, tuple[tries.Try, ...]]:
    """A delivery with all its tries. Raises NotFoundError."""
    async with db.transaction() as connection:
        delivery = await _find(connection, tenant_id, delivery_id)
        return delivery, tuple(await try_rows.of_delivery(connection, delivery.id))


async def replay(db: engine.Database, tenant_id: str, delivery_id: str, now: datetime) -> deliveries.Delivery:
    """Send it again, now, with the same id and the whole schedule before it. Commits. May be repeated.
    Raises NotFoundError, and ConflictError while its receiver is disabled.
    """
    async with db.transaction() as connection:
        delivery = await _find(connection, tenant_id, delivery_id)
        receiver = await receiver_rows.get(connection, tenant_id, delivery.receiver_id)
        if receiver is not None and receiver.disabled_at is not None:
            raise errors.ConflictError("The receiver is disabled; enable it first.", details={"receiver": receiver.id})
        await log.replay(connection, delivery.id, now)
        return await _find(connection, tenant_id, delivery_id)


async def _find(connection: engine.Connection, tenant_id: str, delivery_id: str) -> deliveries.Delivery:
    known = ids.is_valid(ids.Prefix.DELIVERY, delivery_id)
    delivery = await log.get(connection, tenant_id, delivery_id) if known else None
    if delivery is None:
        raise errors.NotFoundError
    return delivery
