"""Tenants: made, looked at, changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared import errors, ids
from shared.db import audit as audit_rows
from shared.db import engine
from shared.db import keys as key_rows
from shared.db import tenants as tenant_rows
from shared.domain import audit, tenants


async def create(
    db: engine.Database, name: str, weight: int, retention_seconds: int | None, now: datetime
) -> tenants.Tenant:
    """Make a tenant, without keys. Commits."""
    tenant = tenants.Tenant(ids.new(ids.Prefix.TENANT), name, weight, now, retention_seconds)
    async with db.transaction() as connection:
        await tenant_rows.insert(connection, tenant)
        data = {"name": name, "weight": weight, "retention_seconds": retention_seconds}
        await audit_rows.append(connection, tenant.id, audit.Action.TENANT_CREATED, tenant.id, now, data)
    return tenant


async def get(db: engine.Database, within: str | None, tenant_id: str) -> tenants.Tenant:
    """The tenant. Raises NotFoundError for what the caller does not see."""
    async with db.transaction() as connection:
        tenant = await tenant_rows.get(connection, within, tenant_id) if _could_be(tenant_id) else None
    if tenant is None:
        raise errors.NotFoundError
    return tenant


async def page(db: engine.Database, within: str | None, cursor: str | None, limit: int) -> list[tenants.Tenant]:
    """Up to `limit` tenants in the order they were made, those after `cursor`."""
    async with db.transaction() as connection:
        return await tenant_rows.page(connection, within, cursor, limit)


async def change(db: engine.Database, tenant_id: str, values: Mapping[str, Any], now: datetime) -> tenants.Tenant:
    """Write these columns (name, weight, retention_seconds, disabled_at). Commits; all processes know within
    seconds. May be repeated. Raises NotFoundError.
    """
    if not values:
        return await get(db, None, tenant_id)
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    async with db.transaction() as connection:
        tenant = await tenant_rows.change(connection, tenant_id, **values) if _could_be(tenant_id) else None
        if tenant is None:
            raise errors.NotFoundError
        await audit_rows.append(connection, tenant_id, audit.Action.TENANT_CHANGED, tenant_id, now, told)
        await key_rows.tell(connection)
    return tenant


def _could_be(tenant_id: str) -> bool:
    return ids.is_valid(ids.Prefix.TENANT, tenant_id)
