"""Whether tasks really go through: the relay sends a canary into every queue, a worker writes that it came."""

from datetime import timedelta

from shared.db import canaries, engine


async def sing(db: engine.Database, queue: str) -> None:
    """Note that a task came through this queue. Commits. May be repeated."""
    async with db.transaction() as connection:
        await canaries.sing(connection, queue)


async def ages(db: engine.Database) -> dict[str, timedelta]:
    """How long ago a task last came through each queue; a queue that never had one is missing."""
    async with db.transaction() as connection:
        return await canaries.ages(connection)
