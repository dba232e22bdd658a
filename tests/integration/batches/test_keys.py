"""Whose batch it is: what a key may run, and what it is held to."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from shared import clock
from shared.db import engine, schema
from shared.domain import keys
from shared.services import keys as key_services
from tests.integration.batches import conftest

TEXT = {"model": "sandbox/text", "template": "About {{name}}"}
Headers = dict[str, str]
MakeKey = Callable[..., Awaitable[Headers]]


@pytest.fixture
def key(database: engine.Database) -> MakeKey:
    """Makes a key of the tenant that `send` sends for; what it sends in its headers."""

    async def make(mode: keys.Mode = keys.Mode.LIVE, **limits: int) -> Headers:
        new = key_services.NewKey(
            schema.DEFAULT_TENANT, "A test's key", mode, frozenset(keys.Scope), keys.Limits(**limits)
        )
        shown = await key_services.create(database, new, clock.now())
        return {"Authorization": f"Bearer {shown.secret}"}

    return make


async def test_a_test_key_runs_no_live_batch(
    api: httpx.AsyncClient, send: conftest.Send, drive: conftest.Drive, key: MakeKey
) -> None:
    test = await key(keys.Mode.TEST)
    body = "prompt,model\na,sandbox/text\nb,sandbox/text-refuse\n"
    batch = (await send(body, dry_run="true")).json()
    await drive(batch["id"], "ready")
    url = f"/v1/batches/{batch['id']}"
    refused = await api.post(f"{url}/start", headers=test)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert (await api.get(url, headers=test)).json()["status"] == "ready"
    assert (await api.post(f"{url}/start")).status_code == 200
    assert (await api.post(f"{url}/pause", headers=test)).status_code == 200
    assert (await api.post(f"{url}/resume", headers=test)).status_code == 403
    assert (await api.post(f"{url}/resume")).status_code == 200
    assert (await drive(batch["id"]))["counts"]["failed"] == 1
    assert (await api.post(f"{url}/retry", headers=test)).status_code == 403
    assert (await api.get(url)).json()["generation"] == 0


async def test_a_clone_belongs_to_the_key_that_makes_it(
    api: httpx.AsyncClient, send: conftest.Send, drive: conftest.Drive, key: MakeKey
) -> None:
    test = await key(keys.Mode.TEST)
    batch = (await send("name\nKettle\n", **TEXT)).json()
    assert (await drive(batch["id"]))["cost_micros"] == 500
    tried = await api.post(f"/v1/batches/{batch['id']}/clone", json={}, headers=test)
    assert tried.status_code == 202
    ended = await drive(tried.json()["id"])
    assert (ended["counts"]["completed"], ended["cost_micros"]) == (1, 0)
    again = await api.post(f"/v1/batches/{ended['id']}/clone", json={})
    assert (await drive(again.json()["id"]))["cost_micros"] == 500
    refused = await api.post(f"/v1/batches/{batch['id']}/clone", json={"model": "no/such"}, headers=test)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_model")


async def test_a_key_may_send_so_many_rows(
    api: httpx.AsyncClient, send: conftest.Send, drive: conftest.Drive, key: MakeKey
) -> None:
    headers = await key(max_batch_rows=2)
    api.headers.update(headers)
    two = (await send("name\na\nb\n", **TEXT)).json()
    assert (await drive(two["id"]))["status"] == "completed"
    three = (await send("name\na\nb\nc\n", **TEXT)).json()
    ended = await drive(three["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "too_many_rows")
    assert "2 rows" in ended["error"]["message"]
    assert ended["counts"]["total"] == 0
