"""Attempts in doubt: what somebody may have to look up at a provider (promise P3)."""

from shared.db import doubts, engine


async def newest(db: engine.Database, limit: int) -> list[doubts.Doubtful]:
    """The newest of all tenants. For operators only."""
    async with db.transaction() as connection:
        return await doubts.newest(connection, limit)
