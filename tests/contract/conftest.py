"""A provider that listens, and an adapter that speaks to it as a worker's does."""

from collections.abc import AsyncIterator

import httpx
import pytest

from shared.outbound import clients
from shared.providers import http
from tests.contract import talks
from tests.contract.servers import upstream

CAP_BYTES = 256 * 1024


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with clients.provider_client() as opened:
        yield opened


@pytest.fixture(scope="session")
async def fresh_client() -> AsyncIterator[httpx.AsyncClient]:
    async with clients.provider_client(keep_alive=False) as opened:
        yield opened


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cap that an endless answer reaches soon."""
    monkeypatch.setattr(http, "BODY_CAP_BYTES", CAP_BYTES)


@pytest.fixture
async def talk(
    request: pytest.FixtureRequest, client: httpx.AsyncClient, fresh_client: httpx.AsyncClient
) -> AsyncIterator[talks.Talk]:
    dialect, offer = request.param
    async with upstream.running(dialect) as up:
        yield talks.Talk(up, offer, client, fresh_client)
