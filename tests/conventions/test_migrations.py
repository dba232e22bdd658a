"""There is one newest migration, and running all of them gives exactly the tables the code speaks of."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import autogenerate, runtime, script
from sqlalchemy.ext import asyncio as sa_asyncio

from cli.stack import stack
from shared.db import schema
from shared.db.tables import metadata


@pytest.fixture(scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[sa_asyncio.AsyncEngine]:
    """A database of its own, which no other test has touched, with every migration run."""
    folder = tmp_path_factory.mktemp("migrations") / "data"
    async with stack.Stack(data_dir=folder, servers_only=True, usual_ports=False, temporary=True) as servers:
        url = servers.env["GENQUEUE_DATABASE_URL"]
        await schema.upgrade(url)
        engine = sa_asyncio.create_async_engine(url, poolclass=sa.NullPool)
        yield engine
        await engine.dispose()


def differences(connection: sa.Connection) -> list[Any]:
    context = runtime.migration.MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    found: list[Any] = autogenerate.compare_metadata(context, metadata.metadata)
    return found


def test_there_is_exactly_one_head() -> None:
    directory = script.ScriptDirectory.from_config(schema.alembic_config())
    assert directory.get_heads() == [schema.head()]


async def test_the_models_match_the_migrations(migrated: sa_asyncio.AsyncEngine) -> None:
    async with migrated.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await schema.current(connection) == schema.head()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE jobs ADD COLUMN planted integer",
        "ALTER TABLE jobs ALTER COLUMN kind DROP NOT NULL",
        "ALTER TABLE jobs ALTER COLUMN priority TYPE bigint",
        "DROP INDEX ix_jobs_deadline",
    ],
)
async def test_a_difference_is_seen(migrated: sa_asyncio.AsyncEngine, change: str) -> None:
    async with migrated.connect() as connection:
        await connection.execute(sa.text(change))
        assert await connection.run_sync(differences) != []
        await connection.rollback()


async def test_running_them_again_changes_nothing(migrated: sa_asyncio.AsyncEngine) -> None:
    await schema.upgrade(migrated.url.render_as_string(hide_password=False))
    async with migrated.connect() as connection:
        assert await connection.run_sync(differences) == []
