"""Signing keys as rows. An owner has one current key, and may have some that still sign for a while."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, prepared, rows
from shared.db.tables import signing as tables
from shared.domain import signing

_K = tables.signing_keys


async def insert(connection: engine.Connection, key: signing.SigningKey) -> bool:
    """Make it the owner's current key; False if there is one (another process was faster)."""
    made = await connection.execute(
        pg.insert(_K)
        .values({field: getattr(key, field) for field in _K.c.keys()})  # noqa: SIM118 - a column collection, no dict
        .on_conflict_do_nothing()
        .returning(_K.c.id)
    )
    return made.one_or_none() is not None


_OF_OWNERS = prepared.Prepared(
    sa.select(_K)
    .where(
        _K.c.owner_id == prepared.any_of("owners"),
        sa.or_(_K.c.expires_at.is_(None), _K.c.expires_at > sa.bindparam("now", type_=_K.c.expires_at.type)),
    )
    .order_by(_K.c.expires_at.desc().nulls_first())
)


async def of_owners(
    connection: engine.Connection, owner_ids: Collection[str], now: datetime
) -> dict[str, list[signing.SigningKey]]:
    """The keys that sign for these owners now, the current one first."""
    by_owner: dict[str, list[signing.SigningKey]] = {}
    for row in await _OF_OWNERS.rows(connection, owners=list(owner_ids), now=now):
        by_owner.setdefault(row["owner_id"], []).append(rows.signing_key(row))
    return by_owner


async def retire(connection: engine.Connection, owner_id: str, expires_at: datetime, now: datetime) -> None:
    """Let the current key sign until then, and forget those whose time is over."""
    await connection.execute(sa.delete(_K).where(_K.c.owner_id == owner_id, _K.c.expires_at <= now))
    await connection.execute(
        sa.update(_K).where(_K.c.owner_id == owner_id, _K.c.expires_at.is_(None)).values(expires_at=expires_at)
    )


async def delete(connection: engine.Connection, owner_id: str) -> None:
    """Forget all keys of an owner that is deleted."""
    await connection.execute(sa.delete(_K).where(_K.c.owner_id == owner_id))
