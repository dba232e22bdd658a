"""The same key with the same body is done once, however many ask (promise P8), on every POST."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
import tenacity

from shared import clock, ids
from shared.db import engine
from shared.db import idempotency as rows
from shared.db.tables import idempotency as tables
from shared.db.tables import jobs as job_tables
from shared.outbound import targets
from shared.services import idempotency
from tests.integration.tenants import conftest, money

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}
ONCE = {"Idempotency-Key": "order-17"}


async def count(db: engine.Database, table: sa.Table) -> int:
    async with db.transaction() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def test_two_hundred_racing_requests_make_one_job_and_get_equal_answers(house: conftest.House) -> None:
    shown = await house.key(await money.tenant(house.db))
    second = await house.serve()
    clients = [await house.client(shown.secret), await house.client(shown.secret, second)]
    answers = await asyncio.gather(*(clients[n % 2].post("/v1/videos", json=VIDEO, headers=ONCE) for n in range(200)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await count(house.db, job_tables.jobs) == 1


async def test_the_answer_stays_the_same_when_the_job_goes_on(house: conftest.House) -> None:
    client = await house.tenant_client()
    first = await client.post("/v1/videos", json=VIDEO, headers=ONCE)
    await client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    again = await client.post("/v1/videos", json=VIDEO, headers=ONCE)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (await client.get(f"/v1/jobs/{first.json()['id']}")).json()["status"] == "cancelled"


async def test_a_key_is_the_tenants_own(house: conftest.House) -> None:
    clients = [await house.tenant_client() for _ in range(2)]
    answers = [await client.post("/v1/videos", json=VIDEO, headers=ONCE) for client in clients]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_any_other_post_is_answered_once_too_and_a_secret_stays_sealed(
    house: conftest.House, operator: httpx.AsyncClient
) -> None:
    body = {"name": "Production"}
    answers = await asyncio.gather(*(operator.post("/v1/keys", json=body, headers=ONCE) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len((await operator.get("/v1/keys")).json()["data"]) == 1
    secret = answers[0].json()["secret"]
    async with house.db.transaction() as connection:
        kept = (await connection.execute(sa.select(tables.idempotency.c.body))).scalar_one()
    assert secret.encode() not in kept
    mismatch = await operator.post("/v1/keys", json={"name": "Other"}, headers=ONCE)
    assert (mismatch.status_code, mismatch.json()["error"]["code"]) == (422, "idempotency_mismatch")
    # Another key of the tenant has names of its own, so it never meets an answer it could not open.
    job = await operator.post("/v1/videos", json=VIDEO, headers=ONCE)
    assert job.status_code == 202


RECEIVER = {"url": "https://93.184.215.14/hook"}
REQUESTS = [{"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Rivers?"}]}}]
BATCH = {"endpoint": "/v1/chat/completions", "model": "sandbox/text", "requests": REQUESTS, "callback_url": "http://x"}
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"


@pytest.mark.parametrize(("path", "body"), [("/v1/webhook-receivers", RECEIVER), ("/api/v1/batches", BATCH)])
async def test_no_transaction_is_open_while_a_name_is_resolved_or_bytes_are_stored(
    house: conftest.House, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    opened: list[int] = []

    # Others of this process may just have a transaction open, and end it; one that waits for us stays open.
    @tenacity.retry(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_fixed(0.05),
        stop=tenacity.stop_after_delay(5),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    async def still_open() -> int:
        async with house.db.engine.connect() as connection:
            return int((await connection.execute(sa.text(OPEN))).scalar_one())

    async def look(*_: object) -> None:
        opened.append(await still_open())

    monkeypatch.setattr(targets.Guard, "examine", look)
    client = await house.tenant_client()
    first = await client.post(path, json=body, headers=ONCE)
    assert (first.status_code, opened) == (201 if path.startswith("/v1") else 202, [0])
    again = await client.post(path, json=body, headers=ONCE)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert opened == [0]  # what was answered before needs no looking up
    other = {"Idempotency-Key": "order-18"}
    racing = await asyncio.gather(*(client.post(path, json=body, headers=other) for _ in range(5)))
    assert len({answer.content for answer in racing}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in racing) == 1


async def test_an_upload_is_compared_by_its_bytes(operator: httpx.AsyncClient) -> None:
    async def send(content: bytes) -> httpx.Response:
        file = {"file": ("rows.csv", content)}
        return await operator.post("/v1/batches", files=file, data={"model": "sandbox/text"}, headers=ONCE)

    first, again, other = [await send(content) for content in (b"prompt\nA\n", b"prompt\nA\n", b"prompt\nB\n")]
    assert (first.status_code, again.content) == (202, first.content)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


async def test_a_form_takes_no_key_where_nobody_compares_it(operator: httpx.AsyncClient) -> None:
    path = "/v1/webhook-receivers/rcv_01k0zqj5w3m8v4t2c6n9xb7rde/test"
    answer = await operator.post(path, files={"file": ("rows.csv", b"x")}, headers=ONCE)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


async def test_what_was_refused_is_not_kept(house: conftest.House, operator: httpx.AsyncClient) -> None:
    missing = {"name": "x", "tenant_id": ids.new(ids.Prefix.TENANT)}
    assert (await operator.post("/v1/keys", json=missing, headers=ONCE)).status_code == 404
    assert await count(house.db, tables.idempotency) == 0
    assert (await operator.post("/v1/keys", json={"name": "x"}, headers=ONCE)).status_code == 201


async def test_waiting_too_long_for_the_first_is_409(house: conftest.House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_WAIT_SECONDS", 1)
    tenant_id = await money.tenant(house.db)
    client = await house.client((await house.key(tenant_id)).secret)
    async with house.db.engine.begin() as first:
        await rows.bind(first, tenant_id, "order-17", "x", clock.now(), "job_x")
        answer = await client.post("/v1/videos", json=VIDEO, headers=ONCE)
        await first.rollback()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_in_flight")
    assert answer.headers["Retry-After"] == "1"
    assert (await client.post("/v1/videos", json=VIDEO, headers=ONCE)).status_code == 202


async def test_keys_are_forgotten_after_a_day(house: conftest.House) -> None:
    client = await house.tenant_client()
    first = await client.post("/v1/videos", json=VIDEO, headers=ONCE)
    assert await idempotency.sweep(house.db, clock.now() + timedelta(hours=23)) == 0
    assert await idempotency.sweep(house.db, clock.now() + timedelta(hours=25)) == 1
    again = await client.post("/v1/videos", json=VIDEO, headers=ONCE)
    assert again.json()["id"] != first.json()["id"]


async def test_re_posts_of_an_sdk_are_folded_if_the_operator_wants_it(house: conftest.House) -> None:
    shown = await house.key(await money.tenant(house.db))
    folding = await house.client(shown.secret, await house.serve(fold_retries_seconds=60))
    plain = await house.client(shown.secret)

    async def post(client: httpx.AsyncClient, retry: int, prompt: str = "A paper boat") -> str:
        headers = {"X-Stainless-Retry-Count": str(retry)}
        answer = await client.post("/v1/videos", json=VIDEO | {"prompt": prompt}, headers=headers)
        return str(answer.json()["id"])

    first = await post(folding, 0)
    assert [await post(folding, 1), await post(folding, 2)] == [first, first]
    meant = await post(folding, 0)
    assert meant != first
    assert await post(folding, 1) == meant
    assert await post(folding, 1, "Another boat") != meant
    assert await post(plain, 1) != meant
