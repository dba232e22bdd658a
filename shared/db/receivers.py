"""Receivers as rows. Reads for callers name the tenant (P6) and see registered ones only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared import ids
from shared.db import engine, rows
from shared.db.tables import receivers as tables
from shared.db.tables import tenants as tenant_tables
from shared.domain import receivers

_R = tables.receivers


async def insert(connection: engine.Connection, values: Mapping[str, Any]) -> receivers.Receiver:
    """Insert a registered receiver."""
    made = await connection.execute(sa.insert(_R).values(id=ids.new(ids.Prefix.RECEIVER), **values).returning(_R))
    return rows.receiver(made.one())


async def count(connection: engine.Connection, tenant_id: str) -> int:
    """How many receivers the tenant has registered. Locks the tenant, so that racing calls count one another."""
    tenants = tenant_tables.tenants
    await connection.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True))
    counted = sa.select(sa.func.count()).where(_R.c.tenant_id == tenant_id, _R.c.implicit.is_(False))
    return (await connection.execute(counted)).scalar_one()


async def implicit(connection: engine.Connection, tenant_id: str, origin: str, now: datetime) -> str:
    """The id of the receiver that stands for all of a tenant's job URLs at one origin; made if it is not there."""
    known = sa.select(_R.c.id).where(_R.c.tenant_id == tenant_id, _R.c.url == origin, _R.c.implicit)
    found = (await connection.execute(known)).scalar_one_or_none()
    if found is None:
        values = {"tenant_id": tenant_id, "implicit": True, "url": origin, "created_at": now}
        await connection.execute(
            pg.insert(_R).values(id=ids.new(ids.Prefix.RECEIVER), **values).on_conflict_do_nothing()
        )
        found = (await connection.execute(known)).scalar_one()
    return str(found)


async def get(
    connection: engine.Connection, tenant_id: str, receiver_id: str, *, for_update: bool = False
) -> receivers.Receiver | None:
    """The tenant's registered receiver, or None. `for_update` locks it until the transaction ends."""
    query = sa.select(_R).where(_R.c.tenant_id == tenant_id, _R.c.id == receiver_id, _R.c.implicit.is_(False))
    if for_update:
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    return rows.receiver(row) if row else None


async def of_tenant(connection: engine.Connection, tenant_id: str) -> list[receivers.Receiver]:
    """All receivers a tenant has registered, oldest first; their number is limited."""
    found = await connection.execute(
        sa.select(_R).where(_R.c.tenant_id == tenant_id, _R.c.implicit.is_(False)).order_by(_R.c.id)
    )
    return [rows.receiver(row) for row in found]


async def change(connection: engine.Connection, receiver_id: str, **values: Any) -> receivers.Receiver:  # noqa: ANN401 - columns
    """Write to a receiver that was locked before."""
    changed = await connection.execute(sa.update(_R).where(_R.c.id == receiver_id).values(**values).returning(_R))
    return rows.receiver(changed.one())


async def delete(connection: engine.Connection, receiver_id: str) -> None:
    """Delete a receiver with its deliveries and their tries."""
    await connection.execute(sa.delete(_R).where(_R.c.id == receiver_id))
