"""Canaries as rows."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine
from shared.db.tables import canaries as tables

_C = tables.canaries


async def sing(connection: engine.Connection, queue: str) -> None:
    """Note that a task came through this queue now, by the database's clock."""
    await connection.execute(
        pg.insert(_C)
        .values(queue=queue, sung_at=sa.func.now())
        .on_conflict_do_update(index_elements=[_C.c.queue], set_={"sung_at": sa.func.now()})
    )


async def ages(connection: engine.Connection) -> dict[str, timedelta]:
    """How long ago a task last came through each queue."""
    found = await connection.execute(sa.select(_C.c.queue, (sa.func.now() - _C.c.sung_at).label("age")))
    return {row.queue: row.age for row in found}
