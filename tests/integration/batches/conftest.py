"""The API in this process, a worker's steps without Celery, and a real sandbox to ask."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asgi_lifespan
import httpx
import pytest
import sqlalchemy as sa

from api import app
from shared import clock, settings
from shared.db import engine
from shared.db.tables import batch_rows as row_tables
from shared.db.tables import batches as tables
from shared.domain import batch_rows
from shared.providers.sandbox import server
from shared.services import claims
from shared.storage import objects as storage
from workers import context
from workers.steps import slices

Json = dict[str, Any]
Send = Callable[..., Awaitable[httpx.Response]]
Drive = Callable[..., Awaitable[Json]]
TURNS = 200
SMALL: Json = {"slice_rows": 40, "max_batch_rows": 3000, "max_batch_bytes": 3_000_000}


@pytest.fixture(scope="session")
async def sandbox_url() -> AsyncIterator[str]:
    async with server.running(server.Options()) as url:
        yield url


@pytest.fixture(scope="session")
def batch_settings(configured: settings.Settings, sandbox_url: str) -> settings.Settings:
    """Small limits, so that each can be met."""
    return configured.model_copy(update={"sandbox_url": sandbox_url, **SMALL})


@contextlib.asynccontextmanager
async def working(configured: settings.Settings) -> AsyncIterator[context.Context]:
    """A worker's context that holds its lease."""
    opened = context.open_context(configured)
    try:
        await claims.heartbeat(opened.db, opened.process_id, "worker", configured.lease_seconds * 100)
        opened.lease.renew(time.monotonic() + 1000)
        yield opened
    finally:
        # Whatever happens: what stayed open would run into the next test's tables.
        await opened.courier.close()
        await opened.close()


@pytest.fixture
async def worker(
    database: engine.Database, objects: storage.Objects, batch_settings: settings.Settings
) -> AsyncIterator[context.Context]:
    async with working(batch_settings) as opened:
        yield opened


@pytest.fixture
async def api(
    database: engine.Database, objects: storage.Objects, batch_settings: settings.Settings
) -> AsyncIterator[httpx.AsyncClient]:
    made = app.create_app(batch_settings)
    key = {"Authorization": f"Bearer {batch_settings.admin_key.get_secret_value()}"}
    async with (
        asgi_lifespan.LifespanManager(made),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(made), base_url="http://api", headers=key, timeout=60
        ) as client,
    ):
        yield client


@pytest.fixture
def send(api: httpx.AsyncClient) -> Send:
    """Uploads a file as a batch."""

    async def upload(body: str | bytes, name: str = "rows.csv", **fields: str) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return await api.post("/v1/batches", files={"file": (name, content)}, data=fields)

    return upload


async def audit(database: engine.Database, batch_id: str) -> None:
    """The counts the batch keeps are those of its rows, in one snapshot."""
    kept, rows = tables.batches, row_tables.batch_rows
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        batch = (await connection.execute(sa.select(kept).where(kept.c.id == batch_id))).mappings().one()
        counted = sa.select(rows.c.status, sa.func.count()).where(rows.c.batch_number == batch["number"])
        found = {row[0]: row[1] for row in await connection.execute(counted.group_by(rows.c.status))}
    assert {status: batch[status] for status in batch_rows.RowStatus if batch[status]} == found


@pytest.fixture
def drive(api: httpx.AsyncClient, worker: context.Context) -> Drive:
    """Gives the batch turns until its status is one of these; answers the batch."""

    async def turns(batch_id: str, *until: str) -> Json:
        batch: Json = {}
        for _ in range(TURNS):
            batch = (await api.get(f"/v1/batches/{batch_id}")).json()
            await audit(worker.db, batch_id)
            if batch["status"] in (until or ("completed", "failed", "cancelled", "expired")):
                return batch
            await slices.run(worker, batch_id)
        raise AssertionError(f"still {batch['status']}: {batch['counts']}")

    return turns


@pytest.fixture
def pass_deadline(database: engine.Database) -> Callable[[str], Awaitable[None]]:
    """Sets the clock on: the batch's time is over."""

    async def change(batch_id: str) -> None:
        batches = tables.batches
        async with database.transaction() as connection:
            await connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(deadline_at=clock.now()))

    return change
