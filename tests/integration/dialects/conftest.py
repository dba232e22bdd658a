"""The API in this process, as tests/integration/api has it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from shared import settings
from shared.db import engine
from tests.integration.api import conftest as api


@pytest.fixture
async def client(database: engine.Database, configured: settings.Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with api.serving(configured) as made:
        yield made
