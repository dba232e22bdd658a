"""Statements that run all the time: SQLAlchemy writes them once, and the driver runs them.

SQLAlchemy's own way costs 100 us and more for each call: more than Postgres needs for many of them
(docs/decisions/0013).
"""

from collections.abc import Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from shared.db import engine

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's


class Prepared:
    """A statement with the values it always has. Others are given by name, as the driver takes them."""

    def __init__(self, statement: sa.Executable) -> None:
        compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined] # every executable has it
        self._words = str(compiled)
        self._values = [(name, compiled.params.get(name)) for name in compiled.positiontup or ()]

    async def rows(self, connection: engine.Connection, **values: object) -> Sequence[asyncpg.Record]:
        """What the driver answers, in the transaction of this connection if it has one. Raises the driver's errors."""
        given = [values.get(name, always) for name, always in self._values]
        driver = engine.driver(connection)
        if connection.in_transaction() and not driver.is_in_transaction():
            # SQLAlchemy begins its transaction only with its own first statement.
            await connection.exec_driver_sql("SELECT 1")
        try:
            rows: Sequence[asyncpg.Record] = await driver.fetch(self._words, *given)
        except Exception:
            if driver.is_closed():
                # SQLAlchemy finds that out by itself, and gives up what else it has of that server.
                await connection.exec_driver_sql("SELECT 1")
            raise
        return rows


def any_of(name: str) -> sa.CollectionAggregate[Any]:
    """Any of the texts that are given by this name, as a list."""
    return sa.any_(sa.bindparam(name, type_=pg.ARRAY(sa.Text)))
