"""The audit log: entries go in, in the transaction of what they tell of, and are read."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import ids
from shared.db import engine
from shared.db.tables import audit as tables
from shared.domain import audit

_A = tables.audit


async def append(
    connection: engine.Connection,
    tenant_id: str,
    action: audit.Action,
    target_id: str,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> None:
    """Write down that whoever acts now did this to the tenant's thing. `data` must hold no secret and no prompt."""
    actor = audit.acting.get()
    await connection.execute(
        sa.insert(_A).values(
            id=ids.new(ids.Prefix.AUDIT),
            tenant_id=tenant_id,
            key_id=actor.key_id,
            request_id=actor.request_id,
            address=actor.address,
            action=action,
            target_id=target_id,
            created_at=now,
            data=data or {},
        )
    )


async def page(
    connection: engine.Connection, within: str | None, after_id: str | None, limit: int
) -> list[audit.Entry]:
    """Up to `limit` entries, oldest first. `within`: the tenant a caller is confined to (P6)."""
    visible = [] if within is None else [_A.c.tenant_id == within]
    query = sa.select(_A).where(*visible, _A.c.id > (after_id or "")).order_by(_A.c.id).limit(limit)
    return [_entry(row) for row in await connection.execute(query)]


def _entry(row: sa.Row[Any]) -> audit.Entry:
    return audit.Entry(
        id=row.id,
        tenant_id=row.tenant_id,
        actor=audit.Actor(row.key_id, row.request_id, row.address),
        action=audit.Action(row.action),
        target_id=row.target_id,
        created_at=row.created_at,
        data=row.data,
    )
