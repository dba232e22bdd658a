"""The API with keys of several tenants."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asgi_lifespan
import httpx
import pytest

from api import app, auth
from shared import clock, settings
from shared.db import engine
from shared.domain import keys
from shared.services import keys as key_services
from tests.integration.tenants import money

Answer = dict[str, Any]
ALL = frozenset(keys.Scope) - {keys.Scope.ADMIN}


class House:
    """Several apps (as several processes) over one database, and a way to make keys."""

    def __init__(self, configured: settings.Settings, db: engine.Database, exits: AsyncExitStack) -> None:
        self.configured = configured
        self.db = db
        self._exits = exits
        self._apps: list[Any] = []

    async def serve(self, **changes: Any) -> int:
        """Start one more app; answers its number."""
        made = app.create_app(self.configured.model_copy(update=changes))
        await self._exits.enter_async_context(asgi_lifespan.LifespanManager(made))
        self._apps.append(made)
        return len(self._apps) - 1

    async def client(self, secret: str, which: int = 0, address: str = "192.0.2.1") -> httpx.AsyncClient:
        """A client with this key, from this address."""
        transport = httpx.ASGITransport(self._apps[which], client=(address, 1))
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        made = httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers, timeout=60)
        return await self._exits.enter_async_context(made)

    def known_keys(self, which: int = 0) -> auth.Keys:
        """What a process knows of keys."""
        known: auth.Keys = self._apps[which].state.parts.keys
        return known

    async def operator(self, which: int = 0) -> httpx.AsyncClient:
        return await self.client(self.configured.admin_key.get_secret_value(), which)

    async def key(
        self,
        tenant_id: str,
        scopes: frozenset[keys.Scope] = ALL,
        mode: keys.Mode = keys.Mode.LIVE,
        **limits: int,
    ) -> key_services.Shown:
        new = key_services.NewKey(tenant_id, "A test's key", mode, scopes, keys.Limits(**limits))
        return await key_services.create(self.db, new, clock.now())

    async def tenant_client(self, **limits: Any) -> httpx.AsyncClient:
        """A client of a new tenant."""
        shown = await self.key(await money.tenant(self.db), **limits)
        return await self.client(shown.secret)


@pytest.fixture
async def house(database: engine.Database, configured: settings.Settings) -> AsyncIterator[House]:
    async with AsyncExitStack() as exits:
        made = House(configured, database, exits)
        await made.serve()
        yield made


@pytest.fixture
async def operator(house: House) -> httpx.AsyncClient:
    return await house.operator()
