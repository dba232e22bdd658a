"""The API in this process on the real servers, and a stand-in for the workers' last step."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asgi_lifespan
import httpx
import pytest
import sqlalchemy as sa

from api import app, auth
from shared import clock, ids, settings
from shared.db import engine
from shared.db import outputs as output_rows
from shared.db.tables import jobs as tables
from shared.db.tables import metadata
from shared.domain import outputs, states
from shared.storage import objects as storage
from tests.integration.api import steps

KEPT = ("tenants",)
VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}


@asynccontextmanager
async def serving(configured: settings.Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the admin key, talking to an app with these settings."""
    made = app.create_app(configured)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(asgi_lifespan.LifespanManager(made))
        transport = httpx.ASGITransport(made)
        key = {"Authorization": f"Bearer {configured.admin_key.get_secret_value()}"}
        yield await exits.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://api", headers=key, timeout=30)
        )


@pytest.fixture
async def client(database: engine.Database, configured: settings.Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(configured) as made:
        yield made


@pytest.fixture
def serve() -> steps.Serve:
    """A context manager that serves an app with settings of the test's own."""
    return serving


@pytest.fixture
def count(database: engine.Database) -> steps.Count:
    """How many rows there are in all tables."""

    async def count_rows() -> int:
        written = [table for table in metadata.metadata.sorted_tables if table.name not in KEPT]
        async with database.transaction() as connection:
            counted = [await connection.execute(sa.select(sa.func.count()).select_from(table)) for table in written]
        return sum(result.scalar_one() for result in counted)

    return count_rows


@pytest.fixture
def change(database: engine.Database) -> steps.Change:
    """Sets columns of a job, as a worker would."""

    async def change_job(job_id: str, **values: object) -> None:
        jobs = tables.jobs
        async with database.transaction() as connection:
            await connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))

    return change_job


@pytest.fixture
def submit(client: httpx.AsyncClient) -> steps.Submit:
    """Submits a video and returns the job's id."""

    async def send(**fields: object) -> str:
        answer = await client.post("/v1/videos", json=VIDEO | fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    return send


@pytest.fixture
def finish(database: engine.Database, objects: storage.Objects, change: steps.Change) -> steps.Finish:
    """Gives a job one stored output and ends it as completed."""

    async def complete(job_id: str, body: bytes = b"0123456789", **fields: Any) -> outputs.Output:
        output = outputs.Output(
            id=ids.new(ids.Prefix.OUTPUT),
            job_id=job_id,
            tenant_id=auth.DEFAULT_TENANT,
            number=0,
            key=f"test/{job_id}/{fields.get('variant', 'main')}",
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            created_at=clock.now(),
            **{"variant": outputs.Variant.MAIN, "media_type": "video/mp4", "width": 64, "height": 48, **fields},
        )
        await objects.put(output.key, body, output.media_type)
        async with database.transaction() as connection:
            await output_rows.insert_all(connection, [output])
        await change(job_id, status=states.JobStatus.COMPLETED, step=states.Step.DONE, finished_at=clock.now())
        return output

    return complete
