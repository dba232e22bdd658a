"""A transaction that the driver begins and ends by itself: however it ends, the next on that connection is clean."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from shared import settings
from shared.db import engine, outages

READ = sa.text("SELECT id FROM processes ORDER BY id")
WAIT_SECONDS = 2.0


@pytest.fixture
async def narrow(database: engine.Database, configured: settings.Settings) -> AsyncIterator[engine.Database]:
    """One connection at a time, so that whoever comes next gets the one that was used."""
    made = engine.Database(configured.database_url.get_secret_value(), 1, "test")
    yield made
    await made.close()


async def write(connection: engine.Connection, name: str) -> None:
    sql = "INSERT INTO processes (id, name, lease_until_at) VALUES ($1, 'test', now())"
    await engine.driver(connection).execute(sql, name)


async def kept(db: engine.Database, other: engine.Database) -> list[str]:
    """What was written, as others see it, after one more transaction on the same connection."""
    async with db.brisk(WAIT_SECONDS) as connection:
        await write(connection, "after")
    async with other.transaction() as connection:
        return list((await connection.execute(READ)).scalars())


async def test_it_commits(narrow: engine.Database, database: engine.Database) -> None:
    async with narrow.brisk(WAIT_SECONDS) as connection:
        await write(connection, "first")
    assert await kept(narrow, database) == ["after", "first"]


async def test_an_error_rolls_it_back(narrow: engine.Database, database: engine.Database) -> None:
    async def fail() -> None:
        async with narrow.brisk(WAIT_SECONDS) as connection:
            await write(connection, "lost")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await kept(narrow, database) == ["after"]


async def test_a_caller_that_goes_away_in_a_statement_rolls_it_back(
    narrow: engine.Database, database: engine.Database
) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with narrow.brisk(WAIT_SECONDS) as connection:
            await write(connection, "lost")
            begun.set()
            await engine.driver(connection).execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await kept(narrow, database) == ["after"]


async def test_a_server_that_drops_the_line_leaves_no_dead_connection(
    narrow: engine.Database, database: engine.Database
) -> None:
    async def be_dropped() -> None:
        async with narrow.brisk(WAIT_SECONDS) as connection:
            await write(connection, "lost")
            pid = await engine.driver(connection).fetchval("SELECT pg_backend_pid()")
            async with database.transaction() as other:
                await other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    [error] = await asyncio.gather(be_dropped(), return_exceptions=True)
    assert isinstance(error, Exception)
    assert outages.is_outage(error)
    assert await kept(narrow, database) == ["after"]
