"""Keys: made, shown once, changed, rotated, disabled; and whom one lets in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared import errors, ids
from shared.db import audit as audit_rows
from shared.db import engine, queue
from shared.db import keys as key_rows
from shared.db import tenants as tenant_rows
from shared.domain import audit, keys, tenants


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be."""

    tenant_id: str
    name: str
    mode: keys.Mode
    scopes: frozenset[keys.Scope]
    limits: keys.Limits
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A key with its secret: the only time it is seen."""

    key: keys.Key
    secret: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a key has going on: jobs waiting, and jobs begun."""

    queued: int
    in_flight: int


async def find(db: engine.Database, digest: str, now: datetime) -> key_rows.Holder | None:
    """Whose key this is; None if it is nobody's. Notes the use, once a minute. Commits. May be repeated."""
    async with db.transaction() as connection:
        holder = await key_rows.by_digest(connection, digest, now)
        if holder is not None:
            await key_rows.note_use(connection, holder.key.id, now)
        return holder


async def create(db: engine.Database, new: NewKey, now: datetime) -> Shown:
    """Make a key. Commits. Raises NotFoundError when there is no such tenant. The secret is not kept."""
    secret = keys.generate(new.mode)
    key = keys.Key(
        id=ids.new(ids.Prefix.KEY),
        tenant_id=new.tenant_id,
        name=new.name,
        mode=new.mode,
        hint=keys.hint(secret),
        scopes=new.scopes,
        limits=new.limits,
        created_at=now,
        created_by=audit.acting.get().key_id,
        expires_at=new.expires_at,
    )
    async with db.transaction() as connection:
        if await tenant_rows.get(connection, None, new.tenant_id) is None:
            raise errors.NotFoundError("There is no such tenant.")
        await key_rows.insert(connection, key, keys.digest(secret))
        data = {"name": key.name, "mode": key.mode, "scopes": sorted(key.scopes)}
        await audit_rows.append(connection, key.tenant_id, audit.Action.KEY_CREATED, key.id, now, data)
    return Shown(key, secret)


async def get(db: engine.Database, within: str | None, key_id: str) -> keys.Key:
    """The key. Raises NotFoundError for what the caller does not see."""
    async with db.transaction() as connection:
        return await _find(connection, within, key_id)


async def page(db: engine.Database, within: str | None, cursor: str | None, limit: int) -> list[keys.Key]:
    """Up to `limit` keys in the order they were made, those after `cursor`."""
    async with db.transaction() as connection:
        return await key_rows.page(connection, within, cursor, limit)


async def change(
    db: engine.Database, within: str | None, key_id: str, values: Mapping[str, Any], now: datetime
) -> keys.Key:
    """Write these columns (name, scopes, expires_at, limits). Commits; all processes know within seconds.
    May be repeated. Raises NotFoundError.
    """
    stored = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in stored.items()}
    return await _change(db, within, key_id, audit.Action.KEY_CHANGED, stored, told, now)


async def disable(db: engine.Database, within: str | None, key_id: str, now: datetime) -> keys.Key:
    """Let the key open nothing from now on; its row stays, for usage and audit. Commits; all processes know within
    seconds. May be repeated. Raises NotFoundError.
    """
    return await _change(db, within, key_id, audit.Action.KEY_DISABLED, {"disabled_at": now}, {}, now)


async def rotate(db: engine.Database, within: str | None, key_id: str, grace: timedelta, now: datetime) -> Shown:
    """Give the key a new secret; the old one works for `grace` more. Commits. Raises NotFoundError, and
    ConflictError for a disabled key.
    """
    async with db.transaction() as connection:
        key = await _find(connection, within, key_id, for_update=True)
        if key.disabled_at is not None:
            raise errors.ConflictError("The key is disabled; make a new one.")
        secret = keys.generate(key.mode)
        changed = await key_rows.rotate(connection, key_id, keys.digest(secret), keys.hint(secret), now + grace)
        data = {"grace_seconds": int(grace.total_seconds())}
        await audit_rows.append(connection, key.tenant_id, audit.Action.KEY_ROTATED, key_id, now, data)
        await key_rows.tell(connection)
    return Shown(changed, secret)


async def load(db: engine.Database, key_id: str, cap: int = 100_000) -> Load:
    """What the key has going on; the queue is counted up to `cap`."""
    async with db.transaction() as connection:
        return Load(await queue.of_key(connection, key_id, cap), await queue.in_flight_of_key(connection, key_id))


async def _change(
    db: engine.Database,
    within: str | None,
    key_id: str,
    action: audit.Action,
    values: Mapping[str, Any],
    told: dict[str, Any],
    now: datetime,
) -> keys.Key:
    async with db.transaction() as connection:
        key = await _find(connection, within, key_id, for_update=True)
        if not values or (action is audit.Action.KEY_DISABLED and key.disabled_at is not None):
            return key
        changed = await key_rows.change(connection, key_id, **values)
        await audit_rows.append(connection, key.tenant_id, action, key_id, now, told)
        await key_rows.tell(connection)
        return changed


async def _find(
    connection: engine.Connection, within: str | None, key_id: str, *, for_update: bool = False
) -> keys.Key:
    known = ids.is_valid(ids.Prefix.KEY, key_id) and key_id != tenants.ADMIN_KEY_ID
    key = await key_rows.get(connection, within, key_id, for_update=for_update) if known else None
    if key is None:
        raise errors.NotFoundError
    return key
