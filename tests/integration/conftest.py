"""The three real servers, once a session, with a migrated database that is empty at the start of each test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cli.stack import stack
from shared import settings
from shared.db import engine, schema
from shared.db.tables import metadata
from shared.storage import bucket
from shared.storage import objects as storage


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("servers") / "data"
    async with stack.Stack(data_dir=folder, servers_only=True, usual_ports=False, temporary=True) as running:
        yield running


@pytest.fixture(scope="session")
def configured(servers: stack.Stack) -> settings.Settings:
    """Settings for processes that use the servers."""
    values = {name.removeprefix("GENQUEUE_").lower(): value for name, value in servers.env.items()}
    return settings.Settings.model_validate(values)


@pytest.fixture(scope="session")
async def migrated(configured: settings.Settings) -> AsyncIterator[engine.Database]:
    url = configured.database_url.get_secret_value()
    await schema.upgrade(url)
    made = engine.Database(url, 10, "tests")
    yield made
    await made.close()


OTHERS = (
    "SELECT application_name, state, left(query, 200) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
    "AND datname = current_database() AND application_name LIKE 'genqueue-%' "
    "AND (application_name <> 'genqueue-tests' OR state <> 'idle')"
)
LEAVING_SECONDS = 10


async def alone(db: engine.Database) -> None:
    """Wait until whatever the test before has opened is gone: it and the next TRUNCATE would lock each other out."""
    found: list[sa.Row[Any]] = []
    try:
        async with asyncio.timeout(LEAVING_SECONDS):
            while True:
                async with db.transaction() as connection:
                    found = list(await connection.execute(sa.text(OTHERS)))
                if not found:
                    return
                await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.02)
    except TimeoutError:
        raise AssertionError(f"the test before has left this running: {found}") from None


@pytest.fixture
async def database(migrated: engine.Database) -> engine.Database:
    """A connection pool to the migrated database, every table of ours empty but `tenants`."""
    names = ", ".join(table.name for table in metadata.metadata.sorted_tables if table.name != "tenants")
    await alone(migrated)
    async with migrated.transaction() as connection:
        await connection.execute(sa.text(f"TRUNCATE {names}"))
    return migrated


@pytest.fixture(scope="session")
async def objects(configured: settings.Settings) -> AsyncIterator[storage.Objects]:
    made = storage.Objects(bucket.location_of(configured))
    await made.ensure_bucket()
    yield made
    made.close()


@pytest.fixture(scope="session")
def redis_url(configured: settings.Settings) -> str:
    return configured.redis_url.get_secret_value()
