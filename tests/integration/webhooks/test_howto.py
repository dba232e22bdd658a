"""The receiver of docs/howto/receive-webhooks.md is run as it stands."""

import re
from collections.abc import AsyncIterator

import fastapi
import httpx
import pytest
import uvicorn

from shared.domain import jobs
from tests.conventions import tree
from tests.integration.webhooks import conftest

PAGE = tree.ROOT / "docs/howto/receive-webhooks.md"


@pytest.fixture
async def written(
    bench: conftest.Bench, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[uvicorn.Server, dict[str, object]]]:
    """The page's receiver, served on a port of its own."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    monkeypatch.setenv("WEBHOOK_SECRET", await bench.secret(conftest.TENANT))
    names: dict[str, object] = {}
    exec(compile(source, str(PAGE), "exec"), names)  # noqa: S102 - it is ours, and this is the test of it
    assert isinstance(names["app"], fastapi.FastAPI)
    server = uvicorn.Server(uvicorn.Config(names["app"], host="127.0.0.1", port=0, log_level="warning"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    yield server, names
    await server.shutdown()


async def test_it_takes_what_is_signed_once_and_refuses_the_rest(
    bench: conftest.Bench, written: tuple[uvicorn.Server, dict[str, object]]
) -> None:
    server, names = written
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}/genqueue"
    own = jobs.Webhook(url, f"http://127.0.0.1:{port}", ("job.queued",))
    await bench.job(own)
    await bench.deliver()
    async with bench.db.transaction() as connection:
        found = await connection.exec_driver_sql("SELECT status, event_id, last_status_code FROM deliveries")
        [row] = found.all()
    assert (row.status, row.last_status_code, names["seen"]) == ("delivered", 204, {row.event_id})
    async with httpx.AsyncClient() as client:
        for headers in ({}, {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "garbage"}):
            assert (await client.post(url, content=b"{}", headers=headers)).status_code == 400
