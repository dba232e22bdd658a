"""Keys as rows. `within` is the tenant a caller is confined to; None for an operator, who sees all (P6)."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import keys as tables
from shared.db.tables import tenants as tenant_tables
from shared.domain import keys

CHANNEL = "genqueue_keys"
USED_EVERY = timedelta(minutes=1)

_K = tables.keys


@dataclass(frozen=True, slots=True)
class Holder:
    """A key with what must be known of its tenant to let it in."""

    key: keys.Key
    tenant_disabled: bool
    tenant_retention_seconds: int | None


async def insert(connection: engine.Connection, key: keys.Key, digest: str) -> None:
    """Write down a new key by its digest."""
    await connection.execute(
        sa.insert(_K).values(
            id=key.id,
            tenant_id=key.tenant_id,
            name=key.name,
            mode=key.mode,
            digest=digest,
            hint=key.hint,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            **asdict(key.limits),
        )
    )


async def by_digest(connection: engine.Connection, digest: str, now: datetime) -> Holder | None:
    """Whose key this is: the one look-up that names no tenant, because it finds the tenant."""
    t = tenant_tables.tenants
    found = await connection.execute(
        sa.select(_K, t.c.disabled_at.label("tenant_disabled_at"), t.c.retention_seconds.label("tenant_retention"))
        .join(t, t.c.id == _K.c.tenant_id)
        .where(sa.or_(_K.c.digest == digest, sa.and_(_K.c.previous_digest == digest, _K.c.previous_until_at > now)))
    )
    row = found.one_or_none()
    return Holder(_key(row), row.tenant_disabled_at is not None, row.tenant_retention) if row else None


async def note_use(connection: engine.Connection, key_id: str, now: datetime) -> None:
    """Remember that the key was used, once a minute at most: a busy key must not become a hot row."""
    long_ago = sa.or_(_K.c.last_used_at.is_(None), _K.c.last_used_at < now - USED_EVERY)
    await connection.execute(sa.update(_K).where(_K.c.id == key_id, long_ago).values(last_used_at=now))


async def get(
    connection: engine.Connection, within: str | None, key_id: str, *, for_update: bool = False
) -> keys.Key | None:
    """The key, or None. `for_update` locks it until the transaction ends."""
    query = sa.select(_K).where(_K.c.id == key_id, *_visible(within))
    row = (await connection.execute(query.with_for_update() if for_update else query)).one_or_none()
    return _key(row) if row else None


async def page(connection: engine.Connection, within: str | None, after_id: str | None, limit: int) -> list[keys.Key]:
    """Up to `limit` keys in the order they were made."""
    query = sa.select(_K).where(*_visible(within), _K.c.id > (after_id or "")).order_by(_K.c.id).limit(limit)
    return [_key(row) for row in await connection.execute(query)]


async def change(
    connection: engine.Connection,
    key_id: str,
    **values: Any,  # noqa: ANN401 - columns
) -> keys.Key:
    """Write these columns to a key read before in this transaction."""
    changed = await connection.execute(sa.update(_K).where(_K.c.id == key_id).values(**values).returning(_K))
    return _key(changed.one())


async def rotate(
    connection: engine.Connection, key_id: str, digest: str, hint: str, previous_until_at: datetime
) -> keys.Key:
    """Put a new secret in the place of the one that is; that one works until `previous_until_at`."""
    values = {"digest": digest, "hint": hint, "previous_until_at": previous_until_at}
    return await change(connection, key_id, previous_digest=_K.c.digest, **values)


async def tell(connection: engine.Connection) -> None:
    """Announce at the commit that keys changed, so that no process goes on trusting what it remembers."""
    await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


def _visible(within: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if within is None else [_K.c.tenant_id == within]


def _key(row: sa.Row[Any]) -> keys.Key:
    return keys.Key(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        mode=keys.Mode(row.mode),
        hint=row.hint,
        scopes=frozenset(keys.Scope(scope) for scope in row.scopes),
        limits=keys.Limits(row.requests_per_minute, row.max_queued, row.max_in_flight, row.max_batch_rows),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        disabled_at=row.disabled_at,
        last_used_at=row.last_used_at,
        previous_until_at=row.previous_until_at,
    )
