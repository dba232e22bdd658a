"""The whole stack, once a session, reached through its public URLs only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path

import pytest

from cli import client
from cli.stack import stack

FINISH_SECONDS = 110


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("e2e") / "data"
    settings: Mapping[str, str] = {
        "GENQUEUE_LEASE_SECONDS": "4",
        "GENQUEUE_MAX_OUTPUT_BYTES": str(32 * 1024 * 1024),
        # Schemathesis sends bad keys by the hundred, and wants to see each refused as such.
        "GENQUEUE_BAD_KEYS_PER_MINUTE": "0",
    }
    async with stack.Stack(data_dir=folder, workers=2, usual_ports=False, temporary=True, environ=settings) as local:
        yield local


@pytest.fixture(scope="session")
async def api(running: stack.Stack) -> AsyncIterator[client.Client]:
    async with client.Client(running.base_url, running.admin_key) as opened:
        yield opened


async def finish(api: client.Client, kind: str, body: client.Json) -> client.Json:
    """Submit and wait for the end."""
    receipt = await api.submit(kind, body)
    return await end_of(api, receipt["id"])


async def end_of(api: client.Client, job_id: str) -> client.Json:
    async with asyncio.timeout(FINISH_SECONDS):
        return [job async for job in api.follow(job_id)][-1]


@pytest.fixture(name="finish", scope="session")
def finisher(api: client.Client) -> Callable[[str, client.Json], Coroutine[None, None, client.Json]]:
    return lambda kind, body: finish(api, kind, body)
