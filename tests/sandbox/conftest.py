"""A real sandbox server on a free port, and a client that speaks to it."""

import collections.abc

import httpx
import pytest

from shared.providers.sandbox import server
from tests.sandbox import client


@pytest.fixture(scope="session")
async def base_url() -> collections.abc.AsyncIterator[str]:
    async with server.running(server.Options()) as url:
        yield url


@pytest.fixture
async def sandbox(base_url: str) -> collections.abc.AsyncIterator[client.Sandbox]:
    async with httpx.AsyncClient(base_url=base_url, headers=client.KEY, timeout=client.DEADLINE_SECONDS) as http:
        yield client.Sandbox(http)
