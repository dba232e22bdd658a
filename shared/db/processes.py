"""Heartbeats: one row a process, written by the database's clock."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, prepared
from shared.db.tables import processes as tables

_P = tables.processes


async def beat(connection: engine.Connection, process_id: str, name: str, lease_seconds: int) -> None:
    """Keep this process's claims for `lease_seconds` more. May be repeated."""
    until = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds)
    await connection.execute(
        pg.insert(_P)
        .values(id=process_id, name=name, lease_until_at=until)
        .on_conflict_do_update(index_elements=[_P.c.id], set_={"lease_until_at": until})
    )


async def leave(connection: engine.Connection, process_id: str) -> None:
    """End this process's lease: what it still holds is given back by the next sweep."""
    await connection.execute(sa.delete(_P).where(_P.c.id == process_id))


async def forget_dead(connection: engine.Connection) -> None:
    """Drop rows of processes that went silent an hour ago."""
    await connection.execute(
        sa.delete(_P).where(_P.c.lease_until_at < sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 1))
    )


_ALIVE = prepared.Prepared(sa.select(_P.c.name).where(_P.c.lease_until_at > sa.func.now()).order_by(_P.c.name))


async def alive(connection: engine.Connection) -> list[str]:
    """The names of processes whose lease holds."""
    return [row["name"] for row in await _ALIVE.rows(connection)]
