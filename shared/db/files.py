"""Uploaded files as rows. Every query for a caller names the tenant (P6)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from shared.db import engine, rows
from shared.db.tables import files as tables
from shared.domain import files

_FILES = tables.files


async def insert(connection: engine.Connection, file: files.File) -> None:
    """Record a file whose bytes are stored."""
    await connection.execute(sa.insert(_FILES).values(**asdict(file)))


async def get(connection: engine.Connection, tenant_id: str, file_id: str, now: datetime) -> files.File | None:
    """The tenant's file; None if there is no such file, or no longer."""
    query = sa.select(_FILES).where(_FILES.c.tenant_id == tenant_id, _FILES.c.id == file_id, _lives(now))
    row = (await connection.execute(query)).one_or_none()
    return rows.file(row) if row else None


async def page(
    connection: engine.Connection,
    tenant_id: str,
    purpose: str | None,
    after_id: str | None,
    limit: int,
    now: datetime,
    *,
    oldest_first: bool = False,
) -> list[files.File]:
    """Up to `limit` of the tenant's files, those after `after_id` in the order asked for."""
    conditions = [_FILES.c.tenant_id == tenant_id, _lives(now)]
    if purpose is not None:
        conditions.append(_FILES.c.purpose == purpose)
    if after_id is not None:
        conditions.append(_FILES.c.id > after_id if oldest_first else _FILES.c.id < after_id)
    order = _FILES.c.id.asc() if oldest_first else _FILES.c.id.desc()
    found = await connection.execute(sa.select(_FILES).where(*conditions).order_by(order).limit(limit))
    return [rows.file(row) for row in found]


async def delete(connection: engine.Connection, tenant_id: str, file_id: str) -> str | None:
    """Forget a file and answer its storage key; None if there was none."""
    gone = await connection.execute(
        sa.delete(_FILES).where(_FILES.c.tenant_id == tenant_id, _FILES.c.id == file_id).returning(_FILES.c.key)
    )
    key: str | None = gone.scalar_one_or_none()
    return key


async def expired(connection: engine.Connection, now: datetime, limit: int) -> list[files.File]:
    """Up to `limit` files of all tenants whose time is over."""
    query = sa.select(_FILES).where(_FILES.c.expires_at <= now).order_by(_FILES.c.expires_at).limit(limit)
    return [rows.file(row) for row in await connection.execute(query)]


async def forget(connection: engine.Connection, file_ids: Sequence[str]) -> None:
    """Delete the rows of files whose bytes are erased."""
    await connection.execute(sa.delete(_FILES).where(_FILES.c.id.in_(file_ids)))


def _lives(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_FILES.c.expires_at.is_(None), _FILES.c.expires_at > now)
