"""A provider that listens, and an adapter that speaks to it as a worker's does."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from shared.outbound import clients
from shared.providers import http
from tests.contract import talks
from tests.contract.servers import upstream

CAP_BYTES = 256 * 1024


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with clients.provider_session() as opened:
        yield opened


@pytest.fixture(scope="session")
async def fresh_client() -> AsyncIterator[aiohttp.ClientSession]:
    async with clients.provider_session(keep_alive=False) as opened:
        yield opened


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cap that an endless answer reaches soon."""
    monkeypatch.setattr(http, "BODY_CAP_BYTES", CAP_BYTES)


@pytest.fixture
async def talk(
    request: pytest.FixtureRequest, client: aiohttp.ClientSession, fresh_client: aiohttp.ClientSession
) -> AsyncIterator[talks.Talk]:
    dialect, offer = request.param
    async with upstream.running(dialect) as up:
        yield talks.Talk(up, offer, client, fresh_client)
