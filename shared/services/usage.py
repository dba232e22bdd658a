"""What a tenant used."""

from datetime import datetime

from shared.db import engine
from shared.db import usage as usage_rows
from shared.domain import usage


async def of_tenant(db: engine.Database, tenant_id: str, wanted: usage.Wanted) -> list[usage.Line]:
    """The charges of the tenant's jobs, added up by group."""
    async with db.transaction() as connection:
        return await usage_rows.of_tenant(connection, tenant_id, wanted)


async def of_keys(db: engine.Database, tenant_id: str, now: datetime) -> dict[str, usage.Spent]:
    """What each key of the tenant has spent, in all and in the windows of `now`; keys that spent nothing are left
    out.
    """
    async with db.transaction() as connection:
        return await usage_rows.of_keys(connection, tenant_id, now)
