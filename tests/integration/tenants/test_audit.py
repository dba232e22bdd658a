"""Who did what is written down with the deed, and cannot be changed; usage adds up to the ledger."""

import json

import httpx
import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import engine
from shared.domain import budgets, events
from shared.domain import requests as domain_requests
from tests.integration.tenants import conftest, money

VIDEO = {"model": "sandbox/video", "prompt": "A secret boat", "duration": 2}


async def test_every_change_is_written_down(house: conftest.House, operator: httpx.AsyncClient) -> None:
    tenant = (await operator.post("/v1/tenants", json={"name": "Marketing"})).json()["id"]
    await operator.patch(f"/v1/tenants/{tenant}", json={"weight": 3})
    key = (await operator.post("/v1/keys", json={"name": "A", "tenant_id": tenant, "scopes": ["admin"]})).json()
    await operator.patch(f"/v1/keys/{key['id']}", json={"max_queued": 5})
    rotated = (await operator.post(f"/v1/keys/{key['id']}/rotate", json={})).json()
    body = {"tenant_id": tenant, "period": "day", "limit_micros": 10**9}
    budget = (await operator.post("/v1/budgets", json=body)).json()["id"]
    await operator.patch(f"/v1/budgets/{budget}", json={"limit_micros": 10**8})
    await operator.delete(f"/v1/budgets/{budget}")
    client = await house.client(rotated["secret"])
    job = (await client.post("/v1/videos", json=VIDEO)).json()["id"]
    for _ in range(2):
        await client.post(f"/v1/jobs/{job}/cancel", headers={"X-Request-Id": "req-of-the-cancel"})
    listed = (await client.get("/v1/audit?limit=100")).json()["data"]
    assert [(entry["action"], entry["target_id"]) for entry in listed] == [
        ("tenant.created", tenant),
        ("tenant.changed", tenant),
        ("key.created", key["id"]),
        ("key.changed", key["id"]),
        ("key.rotated", key["id"]),
        ("budget.created", budget),
        ("budget.changed", budget),
        ("budget.deleted", budget),
        ("job.cancelled", job),
    ]
    last = listed[-1]
    assert (last["key_id"], last["request_id"], last["address"]) == (key["id"], "req-of-the-cancel", "192.0.2.1")
    await operator.delete(f"/v1/keys/{key['id']}")
    exported = [json.loads(line) for line in (await operator.get("/v1/audit/export")).text.splitlines()]
    assert [entry for entry in exported if entry["tenant_id"] == tenant][:-1] == listed
    assert exported[-1]["action"] == "key.disabled"
    for secret in (key["secret"], rotated["secret"], "A secret boat"):
        assert secret not in json.dumps(exported)


async def test_what_is_refused_is_not_written_down(operator: httpx.AsyncClient) -> None:
    before = (await operator.get("/v1/audit/export")).text
    missing = "ten_01k0zqj5w3m8v4t2c6n9xb7rde"
    assert (await operator.post("/v1/keys", json={"name": "A", "tenant_id": missing})).status_code == 404
    assert (await operator.patch(f"/v1/tenants/{missing}", json={"weight": 2})).status_code == 404
    assert (await operator.get("/v1/audit/export")).text == before


@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["audit", "ledger"])
async def test_nothing_that_was_written_can_be_changed(database: engine.Database, table: str, statement: str) -> None:
    by = await money.sender(database, await money.tenant(database))
    await money.submit(database, by)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(sa.text(statement.format(table)))


async def test_usage_adds_up_by_every_grouping(house: conftest.House) -> None:
    tenant_id, worker = await money.tenant(house.db), money.Worker(house.db)
    first, second = await money.sender(house.db, tenant_id), await money.sender(house.db, tenant_id)
    for by, cost in ((first, 40_000), (first, 0), (second, 1)):
        await worker.complete(await money.submit(house.db, by), cost)
    await worker.fail(await money.submit(house.db, second))
    await worker.cancel(await money.submit(house.db, second))
    client = await house.client((await house.key(tenant_id)).secret)
    by_key = (await client.get("/v1/usage?group_by=key&group_by=day")).json()
    today = clock.now().date().isoformat()
    assert {(line["key"], line["day"], line["cost_micros"], line["jobs"]) for line in by_key["data"]} == {
        (first.key_id, today, 40_000, 2),
        (second.key_id, today, 1, 2),
    }
    assert (by_key["cost"], by_key["cost_micros"]) == ("0.040001", 40_001)
    for grouping in ("model", "provider", "kind", "day"):
        [line] = (await client.get(f"/v1/usage?group_by={grouping}")).json()["data"]
        assert (line["cost_micros"], line["jobs"], line["attempts"]) == (40_001, 4, 4)
        assert line[grouping]
    assert (await client.get("/v1/usage?since=2020-01-01&until=2020-02-01")).json()["data"] == []
    assert (await client.get("/v1/usage?since=2020-01-01")).status_code == 400


async def test_thresholds_become_events_once_each(database: engine.Database) -> None:
    by, worker = await money.sender(database, await money.tenant(database)), money.Worker(database)
    price = money.price()
    budget_id = await money.budget(database, by, 10 * price, budgets.Period.MONTH)
    told = []
    for _ in range(10):
        await worker.complete(await money.submit(database, by), price)
        told.append(await percents(database, by.tenant_id))
    assert told == [[]] * 4 + [[50]] * 3 + [[50, 80]] * 2 + [[50, 80, 100]]
    assert budget_id


async def percents(database: engine.Database, tenant_id: str) -> list[int]:
    query = (
        "SELECT (body::jsonb #>> '{data,percent}')::int FROM events WHERE tenant_id = :t AND type = :e ORDER BY xact"
    )
    async with database.transaction() as connection:
        values = {"t": tenant_id, "e": events.EventType.BUDGET_THRESHOLD}
        return list((await connection.execute(sa.text(query), values)).scalars())


async def test_max_cost_leaves_dearer_endpoints_out(house: conftest.House) -> None:
    client = await house.tenant_client()
    price = money.price(domain_requests.VideoRequest.model_validate(VIDEO)) / 10**6
    enough = await client.post("/v1/videos", json=VIDEO | {"max_cost": price})
    assert enough.status_code == 202
    refused = await client.post("/v1/videos", json=VIDEO | {"max_cost": price / 2})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_endpoints")
    assert {item["reason"] for item in refused.json()["error"]["details"]["excluded"]} == {"max_cost"}
