"""Tenants as rows. `within` is the tenant a caller is confined to; None for an operator, who sees all (P6)."""

from typing import Any

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import tenants as tables
from shared.domain import tenants

_T = tables.tenants


async def insert(connection: engine.Connection, tenant: tenants.Tenant) -> None:
    """Write down a new tenant."""
    await connection.execute(
        sa.insert(_T).values(
            id=tenant.id,
            name=tenant.name,
            weight=tenant.weight,
            created_at=tenant.created_at,
            retention_seconds=tenant.retention_seconds,
        )
    )


async def get(connection: engine.Connection, within: str | None, tenant_id: str) -> tenants.Tenant | None:
    """The tenant, or None."""
    found = await connection.execute(sa.select(_T).where(_T.c.id == tenant_id, *_visible(within)))
    row = found.one_or_none()
    return _tenant(row) if row else None


async def page(
    connection: engine.Connection, within: str | None, after_id: str | None, limit: int
) -> list[tenants.Tenant]:
    """Up to `limit` tenants in the order they were made."""
    query = sa.select(_T).where(*_visible(within), _T.c.id > (after_id or "")).order_by(_T.c.id).limit(limit)
    return [_tenant(row) for row in await connection.execute(query)]


async def change(
    connection: engine.Connection,
    tenant_id: str,
    **values: Any,  # noqa: ANN401 - columns
) -> tenants.Tenant | None:
    """Write these columns; None if there is no such tenant."""
    changed = await connection.execute(sa.update(_T).where(_T.c.id == tenant_id).values(**values).returning(_T))
    row = changed.one_or_none()
    return _tenant(row) if row else None


def _visible(within: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if within is None else [_T.c.id == within]


def _tenant(row: sa.Row[Any]) -> tenants.Tenant:
    return tenants.Tenant(
        id=row.id,
        name=row.name,
        weight=row.weight,
        created_at=row.created_at,
        retention_seconds=row.retention_seconds,
        disabled_at=row.disabled_at,
    )
