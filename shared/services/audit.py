"""Reading the audit log."""

from collections.abc import AsyncIterator

from shared.db import audit as audit_rows
from shared.db import engine
from shared.domain import audit

EXPORT_BATCH = 1000


async def page(db: engine.Database, within: str | None, cursor: str | None, limit: int) -> list[audit.Entry]:
    """Up to `limit` entries, oldest first, those after `cursor`."""
    async with db.transaction() as connection:
        return await audit_rows.page(connection, within, cursor, limit)


async def everything(db: engine.Database, within: str | None) -> AsyncIterator[audit.Entry]:
    """All entries, oldest first; no session is open between two batches, however slowly they are read."""
    cursor: str | None = None
    while entries := await page(db, within, cursor, EXPORT_BATCH):
        for entry in entries:
            yield entry
        cursor = entries[-1].id
