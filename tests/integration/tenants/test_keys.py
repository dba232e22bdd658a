"""Keys: shown once, scoped, expiring, rotated with overlap, revoked everywhere within seconds."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
import tenacity

from api import auth
from shared import clock, errors
from shared.db import engine
from shared.db import jobs as job_rows
from shared.db.tables import keys as tables
from shared.domain import keys, models, states
from shared.services import acceptance, ledger
from shared.services import keys as key_services
from tests.integration.tenants import conftest, money

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}


async def create(operator: httpx.AsyncClient, **fields: object) -> conftest.Answer:
    answer = await operator.post("/v1/keys", json={"name": "Production", **fields})
    assert answer.status_code == 201, answer.text
    made: conftest.Answer = answer.json()
    return made


async def test_a_key_is_shown_once_and_kept_as_a_digest(
    house: conftest.House, operator: httpx.AsyncClient, database: engine.Database
) -> None:
    made = await create(operator)
    assert keys.FORM.fullmatch(made["secret"])
    assert made["secret"].startswith(made["hint"])
    assert "secret" not in (await operator.get(f"/v1/keys/{made['id']}")).json()
    assert made["secret"] not in (await operator.get("/v1/keys")).text
    async with database.transaction() as connection:
        rows = (await connection.execute(sa.select(tables.keys))).all()
    assert made["secret"] not in str(rows)
    myself = await (await house.client(made["secret"])).get("/v1/key")
    assert myself.json()["id"] == made["id"]


async def test_every_way_of_sending_it_works(house: conftest.House) -> None:
    secret = (await house.key(await money.tenant(house.db))).secret
    nobody = await house.client("")
    for headers in ({"Authorization": f"Key {secret}"}, {"Authorization": f"bearer {secret}"}, {"X-Api-Key": secret}):
        assert (await nobody.get("/v1/jobs", headers=headers)).status_code == 200
    assert (await nobody.get(f"/v1/jobs?key={secret}")).status_code == 401


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (keys.Scope.READ, {"GET /v1/jobs"}),
        (keys.Scope.SUBMIT, {"POST /v1/videos"}),
        (keys.Scope.MANAGE, set()),
        (keys.Scope.ADMIN, {"GET /v1/jobs", "POST /v1/videos", "GET /v1/keys", "GET /v1/audit"}),
    ],
)
async def test_a_scope_opens_its_routes_and_no_others(
    house: conftest.House, scope: keys.Scope, allowed: set[str]
) -> None:
    shown = await house.key(await money.tenant(house.db), frozenset({scope}))
    client = await house.client(shown.secret)
    opened = set()
    for route in ("GET /v1/jobs", "POST /v1/videos", "GET /v1/keys", "GET /v1/audit"):
        method, path = route.split()
        answer = await client.request(method, path, json=VIDEO if method == "POST" else None)
        if answer.status_code == 403:
            assert answer.json()["error"]["accepted"][-1] == "admin"
        else:
            opened.add(route)
    assert opened == allowed
    assert (await client.get("/v1/key")).status_code == 200


async def test_a_test_key_reaches_sandbox_models_only_and_costs_nothing(house: conftest.House) -> None:
    tenant_id = await money.tenant(house.db)
    shown = await house.key(tenant_id, mode=keys.Mode.TEST)
    assert shown.secret.startswith("gq_test_")
    client = await house.client(shown.secret)
    answer = await client.post("/v1/videos", json=VIDEO)
    assert answer.status_code == 202
    assert answer.json()["estimate"]["cost_micros"] == 0
    by = acceptance.Sender(tenant_id, shown.key.id, keys.Mode.TEST)
    job = await money.submit(house.db, by)
    assert await money.Worker(house.db).complete(job, 50_000)
    async with house.db.transaction() as connection:
        ended = await job_rows.get(connection, tenant_id, job.id)
    assert ended is not None
    assert (ended.held_micros, ended.cost_micros, ended.is_test) == (0, 0, True)
    assert await ledger.imbalances(house.db) == []
    real = models.Catalog.model_validate(money.CATALOG.model_dump() | {"providers": not_sandboxes()})
    new = acceptance.NewRequest(by, states.Kind.IMAGE, money.IMAGE, money.RULES)
    with pytest.raises(errors.ForbiddenError):
        await acceptance.accept(house.db, real, money.USABLE, new, clock.now())


def not_sandboxes() -> dict[str, dict[str, object]]:
    """The catalog's providers, as if they were real ones."""
    return {name: entry.model_dump() | {"adapter": "elsewhere"} for name, entry in money.CATALOG.providers.items()}


async def test_an_expired_and_a_disabled_key_open_nothing(house: conftest.House, operator: httpx.AsyncClient) -> None:
    soon = (clock.now() + timedelta(hours=1)).isoformat()
    made = await create(operator, expires_at=soon)
    client = await house.client(made["secret"])
    assert (await client.get("/v1/jobs")).status_code == 200
    past = (clock.now() - timedelta(seconds=1)).isoformat()
    await operator.patch(f"/v1/keys/{made['id']}", json={"expires_at": past})
    await until_status(client, 401)
    await operator.patch(f"/v1/keys/{made['id']}", json={"expires_at": None})
    await until_status(client, 200)
    await operator.delete(f"/v1/keys/{made['id']}")
    await until_status(client, 401)
    assert (await operator.delete(f"/v1/keys/{made['id']}")).status_code == 200


async def until_status(client: httpx.AsyncClient, status: int, seconds: float = 4.0) -> None:
    """Sooner than what is remembered runs out: it was told, not waited for."""
    async for attempt in tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(seconds), reraise=True
    ):
        with attempt:
            assert (await client.get("/v1/jobs")).status_code == status


async def test_a_revoked_key_is_refused_by_every_process_at_once(
    house: conftest.House, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 3600.0)  # only the announcement can help
    other = await house.serve()
    shown = await house.key(await money.tenant(house.db))
    clients = [await house.client(shown.secret), await house.client(shown.secret, other)]
    for client in clients:
        await until_status(client, 200)
    await operator.delete(f"/v1/keys/{shown.key.id}")
    for client in clients:
        await until_status(client, 401)


async def test_a_disabled_tenant_is_shut_out(house: conftest.House, operator: httpx.AsyncClient) -> None:
    tenant_id = await money.tenant(house.db)
    client = await house.client((await house.key(tenant_id)).secret)
    assert (await client.get("/v1/jobs")).status_code == 200
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"disabled": True})
    await until_status(client, 401)
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"disabled": False})
    await until_status(client, 200)


async def test_rotation_keeps_the_key_and_lets_the_old_secret_work_on(
    house: conftest.House, operator: httpx.AsyncClient
) -> None:
    made = await create(operator)
    rotated = (await operator.post(f"/v1/keys/{made['id']}/rotate", json={"grace_seconds": 3600})).json()
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    old, new = await house.client(made["secret"]), await house.client(rotated["secret"])
    assert [(await client.get("/v1/key")).json()["id"] for client in (old, new)] == [made["id"]] * 2
    await operator.post(f"/v1/keys/{made['id']}/rotate", json={"grace_seconds": 0})
    await until_status(old, 401)
    await until_status(new, 401)


async def test_a_typo_costs_no_look_up(house: conftest.House, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    real = key_services.find

    async def counted(db: engine.Database, digest: str, now: object) -> object:
        looked_up.append(digest)
        return await real(db, digest, now)  # type: ignore[arg-type] # handed through

    monkeypatch.setattr(key_services, "find", counted)
    secret = (await house.key(await money.tenant(house.db))).secret
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for bad in (wrong, secret[:-1], secret + "a", "gq_live_", "x" * 600):
        assert (await (await house.client(bad)).get("/v1/jobs")).status_code == 401
    assert looked_up == []
    client = await house.client(secret)
    await asyncio.gather(*(client.get("/v1/jobs") for _ in range(5)))
    await client.get("/v1/jobs")
    assert len(looked_up) == 1


async def test_a_change_while_a_key_is_looked_up_is_seen_by_whoever_comes_after(
    house: conftest.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, go = asyncio.Event(), asyncio.Event()
    real = key_services.find

    async def slow(db: engine.Database, digest: str, now: object) -> object:
        found = await real(db, digest, now)  # type: ignore[arg-type] # handed through
        seen.set()
        await go.wait()
        return found

    shown = await house.key(await money.tenant(house.db))
    client = await house.client(shown.secret)
    monkeypatch.setattr(key_services, "find", slow)
    before = asyncio.create_task(client.get("/v1/jobs"))
    await asyncio.wait_for(seen.wait(), 10)
    await key_services.disable(house.db, None, shown.key.id, clock.now())
    house.known_keys().forget()
    monkeypatch.setattr(key_services, "find", real)
    assert (await client.get("/v1/jobs")).status_code == 401
    go.set()
    assert (await before).status_code == 200
    assert (await client.get("/v1/jobs")).status_code == 401


async def test_a_change_just_before_a_key_is_looked_up_harms_nobody(house: conftest.House) -> None:
    known, shown = house.known_keys(), await house.key(await money.tenant(house.db))
    look = asyncio.create_task(known._look(keys.digest(shown.secret)))  # noqa: SLF001 - before its own task has begun
    asyncio.get_running_loop().call_soon(known.forget)
    holder = await look
    assert holder is not None
    assert holder.key.id == shown.key.id


async def test_an_address_with_many_bad_keys_is_locked_out(house: conftest.House) -> None:
    which = await house.serve(bad_keys_per_minute=5)
    good = (await house.key(await money.tenant(house.db))).secret
    bad = [await house.client(keys.generate(keys.Mode.LIVE), which, "192.0.2.66") for _ in range(7)]
    statuses = [(await client.get("/v1/jobs")).status_code for client in bad]
    assert statuses == [401] * 5 + [429] * 2
    locked = await (await house.client(good, which, "192.0.2.66")).get("/v1/jobs")
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 0
    assert (await (await house.client(good, which, "192.0.2.67")).get("/v1/jobs")).status_code == 200


async def test_a_tenants_admin_rules_only_his_own_tenant(house: conftest.House) -> None:
    mine, theirs = await money.tenant(house.db), await money.tenant(house.db)
    admin = await house.client((await house.key(mine, frozenset({keys.Scope.ADMIN}))).secret)
    other = await house.key(theirs)
    assert (await admin.post("/v1/keys", json={"name": "x", "tenant_id": theirs})).status_code == 404
    assert (await admin.post("/v1/keys", json={"name": "x", "tenant_id": mine})).status_code == 201
    assert (await admin.get(f"/v1/keys/{other.key.id}")).status_code == 404
    assert (await admin.post("/v1/tenants", json={"name": "x"})).status_code == 403
    assert [tenant["id"] for tenant in (await admin.get("/v1/tenants")).json()["data"]] == [mine]
    body = {"period": "day", "limit_micros": 1}
    assert (await admin.post("/v1/budgets", json=body)).status_code == 403
    assert (await admin.post("/v1/budgets", json=body | {"key_id": other.key.id})).status_code == 404
