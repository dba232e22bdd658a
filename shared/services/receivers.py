"""What a tenant may do with its receivers: register, change, test, send again, find out why nothing verifies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared import errors, ids
from shared.db import audit as audit_rows
from shared.db import deliveries as delivery_rows
from shared.db import deliveries_log as log
from shared.db import engine, events
from shared.db import receivers as rows
from shared.db import signing as signing_rows
from shared.db import tries as try_rows
from shared.domain import audit, receivers, tries
from shared.domain import events as domain_events
from shared.outbound import targets
from shared.services import signing
from shared.webhooks import verification

REPLAY_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a receiver should be. `events` None: all but those that must be named."""

    url: str
    description: str
    events: tuple[domain_events.EventType, ...] | None
    headers: Mapping[str, str]
    enabled: bool


async def vet_url(guard: targets.Guard, url: str, param: str) -> None:
    """Raise ForbiddenUrlError, which names the rule, unless we may call this URL. Asks a name server."""
    try:
        await guard.examine(url)
    except targets.ForbiddenTargetError as error:
        raise errors.ForbiddenUrlError(error.message, param=param, details={"rule": error.rule}) from None


async def create(
    db: engine.Database,
    keyring: signing.Keyring,
    guard: targets.Guard,
    tenant_id: str,
    wish: Wish,
    most: int,
    now: datetime,
) -> receivers.Receiver:
    """Register a receiver, its secret with it. Commits. Raises ForbiddenUrlError, and ConflictError when the tenant
    has `most` already.
    """
    await vet_url(guard, wish.url, "url")
    async with db.transaction() as connection:
        if await rows.count(connection, tenant_id) >= most:
            raise errors.ConflictError(
                f"There may be {most} receivers at most; delete one first.", details={"receivers": most}
            )
        values = _values(keyring, wish) | {"tenant_id": tenant_id, "created_at": now}
        made = await rows.insert(connection, values | _switch(enabled=wish.enabled, now=now))
        await signing.signers(connection, keyring, {made.id: tenant_id}, now)
        await audit_rows.append(connection, tenant_id, audit.Action.RECEIVER_CREATED, made.id, now)
        return made


def _values(keyring: signing.Keyring, wish: Wish) -> dict[str, Any]:
    named = None if wish.events is None else [event.value for event in dict.fromkeys(wish.events)]
    sealed = keyring.sealer.seal(orjson.dumps(dict(wish.headers)).decode()) if wish.headers else None
    return {
        "url": wish.url,
        "description": wish.description,
        "events": named,
        "sealed_headers": sealed,
        "header_names": sorted(wish.headers),
    }


def _switch(*, enabled: bool, now: datetime) -> dict[str, Any]:
    """Switching on forgets the failures of before: the owner says that they are over."""
    if not enabled:
        return {"disabled_at": now, "disabled_reason": receivers.DisabledReason.BY_OWNER}
    fresh = {"failures": 0, "strikes": 0, "failing_since_at": None, "paused_until_at": None}
    return fresh | {"disabled_at": None, "disabled_reason": None}


async def get(db: engine.Database, tenant_id: str, receiver_id: str) -> receivers.Receiver:
    """The receiver as it is now. Raises NotFoundError."""
    async with db.transaction() as connection:
        return await _find(connection, tenant_id, receiver_id)


async def list_all(db: engine.Database, tenant_id: str) -> list[receivers.Receiver]:
    """All receivers of the tenant, oldest first."""
    async with db.transaction() as connection:
        return await rows.of_tenant(connection, tenant_id)


async def change(
    db: engine.Database,
    keyring: signing.Keyring,
    guard: targets.Guard,
    tenant_id: str,
    receiver_id: str,
    wishes: Mapping[str, Any],
    now: datetime,
) -> receivers.Receiver:
    """Change the named fields of a Wish. Switching off drops what waits; switching on begins with a clean record.
    Commits. Raises NotFoundError, ForbiddenUrlError.
    """
    if "url" in wishes:
        await vet_url(guard, wishes["url"], "url")
    async with db.transaction() as connection:
        before = await _find(connection, tenant_id, receiver_id, for_update=True)
        enabled = wishes.get("enabled", before.disabled_at is None)
        switched = enabled != (before.disabled_at is None)
        wish = Wish(
            url=wishes.get("url", before.url),
            description=wishes.get("description", before.description),
            events=wishes.get("events", before.events),
            headers=wishes.get("headers", {}),
            enabled=enabled,
        )
        values = _values(keyring, wish) | (_switch(enabled=enabled, now=now) if switched else {})
        if "headers" not in wishes:
            values = {name: value for name, value in values.items() if "header" not in name}
        changed = await rows.change(connection, receiver_id, **values)
        data = {"fields": sorted(wishes)}
        await audit_rows.append(connection, tenant_id, audit.Action.RECEIVER_CHANGED, receiver_id, now, data)
        if switched and not enabled:
            await delivery_rows.drop_pending(connection, receiver_id, now)
        return changed


async def delete(db: engine.Database, tenant_id: str, receiver_id: str, now: datetime) -> None:
    """Delete the receiver with its secrets and its part of the log. Commits. Raises NotFoundError."""
    async with db.transaction() as connection:
        await _find(connection, tenant_id, receiver_id, for_update=True)
        await signing_rows.delete(connection, receiver_id)
        await rows.delete(connection, receiver_id)
        await audit_rows.append(connection, tenant_id, audit.Action.RECEIVER_DELETED, receiver_id, now)


async def test(db: engine.Database, tenant_id: str, receiver_id: str, now: datetime) -> str:
    """Send it a `receiver.test` event, once, also if it is disabled; answers the delivery's id. Commits."""
    async with db.transaction() as connection:
        receiver = await _find(connection, tenant_id, receiver_id)
        data = {"object": "receiver", "url": receiver.url, "message": "This is a test; nothing has happened."}
        kind = domain_events.EventType.RECEIVER_TEST
        event = await events.append(connection, receiver.id, tenant_id, kind, now, data)
        target = delivery_rows.Target(receiver.id)
        [delivery_id] = await delivery_rows.insert(connection, event, [target], tries.Trigger.TEST)
        return delivery_id


async def replay_lost(db: engine.Database, tenant_id: str, receiver_id: str, since: datetime, now: datetime) -> int:
    """Send again what the receiver did not get since then, up to REPLAY_CAP; answers how many. Commits. May be
    repeated. Raises NotFoundError, and ConflictError while it is disabled.
    """
    async with db.transaction() as connection:
        receiver = await _find(connection, tenant_id, receiver_id)
        if receiver.disabled_at is not None:
            raise errors.ConflictError("The receiver is disabled; enable it first.", details={"receiver": receiver_id})
        return await log.replay_lost(connection, receiver_id, since, now, REPLAY_CAP)


async def verify(
    db: engine.Database,
    keyring: signing.Keyring,
    tenant_id: str,
    receiver_id: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Sequence[verification.Finding]:
    """What is wrong with a request that a receiver got, or pretends to have got; nothing if it verifies."""
    async with db.transaction() as connection:
        receiver = await _find(connection, tenant_id, receiver_id)
        given = {name.lower(): value for name, value in headers.items()}
        sent = await _sent(connection, receiver, given.get("webhook-id", ""))
        signers = await signing.signers(connection, keyring, {receiver.owner_id: tenant_id}, now)
    return verification.examine(given, body, signers[receiver.owner_id], sent, now)


async def _sent(connection: engine.Connection, receiver: receivers.Receiver, event_id: str) -> verification.Sent | None:
    if not ids.is_valid(ids.Prefix.EVENT, event_id):
        return None
    event = await events.get(connection, receiver.tenant_id, event_id)
    wanted = log.Filter(receiver_id=receiver.id, event_id=event_id)
    found = await log.page(connection, receiver.tenant_id, wanted, None, 1)
    if event is None or not found:
        return None
    made = await try_rows.of_delivery(connection, found[0].id)
    return verification.Sent(event.body.encode(), frozenset(int(tried.started_at.timestamp()) for tried in made))


async def _find(
    connection: engine.Connection, tenant_id: str, receiver_id: str, *, for_update: bool = False
) -> receivers.Receiver:
    known = ids.is_valid(ids.Prefix.RECEIVER, receiver_id)
    receiver = await rows.get(connection, tenant_id, receiver_id, for_update=for_update) if known else None
    if receiver is None:
        raise errors.NotFoundError
    return receiver
