"""Rates, queues and flights: exact where it is promised, and safe without Redis."""

import asyncio
import contextlib

import httpx
import pydantic
import pytest

from shared import clock, errors, ids
from shared.db import engine
from shared.domain import jobs
from shared.queues import limits as counters
from shared.services import admission, due
from shared.services import jobs as job_services
from tests.integration.tenants import conftest, money

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine Redis may answer late; that it is then passed over is another test's."""
    monkeypatch.setattr(counters, "TIMEOUT_SECONDS", 20.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("url", ["real", NOWHERE], ids=["redis", "without redis"])
async def test_a_hundred_at_once_against_a_rate_of_ten(redis_url: str, url: str) -> None:
    made = counters.Limits(redis_url if url == "real" else url)
    name = ids.new(ids.Prefix.KEY)
    verdicts = await asyncio.gather(*(made.take(name, 10) for _ in range(100)))
    assert sum(verdict.allowed for verdict in verdicts) == 10
    assert sorted(v.remaining for v in verdicts if v.allowed) == list(range(10))
    refused = next(verdict for verdict in verdicts if not verdict.allowed)
    # One more is let in every six seconds.
    assert 0 < refused.retry_seconds <= 6
    assert 50 < refused.reset_seconds <= 60
    await made.close()


@pytest.mark.usefixtures("patient")
async def test_two_processes_count_together(redis_url: str) -> None:
    one, two = counters.Limits(redis_url), counters.Limits(redis_url)
    name = ids.new(ids.Prefix.KEY)
    verdicts = await asyncio.gather(*(made.take(name, 10) for made in (one, two) for _ in range(20)))
    assert sum(verdict.allowed for verdict in verdicts) == 10
    assert not (await two.take(name, 10, take=False)).allowed
    await one.close()
    await two.close()


async def test_every_answer_tells_the_rate_and_429_says_when(house: conftest.House) -> None:
    client = await house.tenant_client(requests_per_minute=3)
    answers = [await client.get("/v1/jobs") for _ in range(2)] + [await client.get("/v1/jobs/unknown")]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"requests";r=2;t=')
    refused = await client.post("/v1/videos", json={"anything": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 20
    assert refused.headers["X-RateLimit-Remaining"] == "0"


async def test_without_redis_requests_are_served_and_counted(house: conftest.House) -> None:
    which = await house.serve(redis_url=pydantic.SecretStr(NOWHERE))
    shown = await house.key(await money.tenant(house.db), requests_per_minute=3)
    client = await house.client(shown.secret, which)
    assert [(await client.get("/v1/jobs")).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_a_key_may_have_so_many_in_the_queue_and_no_more(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database), max_queued=7)
    results = await asyncio.gather(*(money.submit(database, by) for _ in range(40)), return_exceptions=True)
    made = [result for result in results if not isinstance(result, BaseException)]
    assert len(made) == 7
    refused = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, errors.RateLimitedError) for error in refused)
    await money.Worker(database).cancel(made[0])
    await money.submit(database, by)
    with pytest.raises(errors.RateLimitedError):
        await money.submit(database, by)


async def test_a_key_has_so_many_in_flight_and_the_rest_wait(database: engine.Database) -> None:
    tenant_id, worker = await money.tenant(database), money.Worker(database)
    by = await money.sender(database, tenant_id, max_in_flight=3)
    free = await money.sender(database, tenant_id)
    mine = {(await money.submit(database, by)).id: None for _ in range(8)}
    others = {(await money.submit(database, free)).id for _ in range(4)}
    rung = (await due.take(database, clock.now(), 100, 32)).job_ids
    assert len(mine.keys() & set(rung)) == 3
    assert others <= set(rung)
    assert (await due.take(database, clock.now(), 100, 32)).job_ids == ()
    first = next(job_id for job_id in rung if job_id in mine)
    assert await worker.complete(await load(database, tenant_id, first), 0)
    assert len((await due.take(database, clock.now(), 100, 32)).job_ids) == 1


async def load(database: engine.Database, tenant_id: str, job_id: str) -> jobs.Job:
    return (await job_services.get(database, tenant_id, job_id)).job


async def test_low_priorities_are_turned_away_first(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    for _ in range(12):
        await money.submit(database, by)

    async def lowest(max_length: int) -> int:
        for priority in range(10):
            with contextlib.suppress(errors.OverloadedError):
                await admission.Admission(max_length, 0).check(database, priority, clock.now())
                return priority
        return 10

    assert [await lowest(length) for length in (0, 100, 12, 10, 8, 6, 5)] == [0, 0, 1, 3, 6, 10, 10]


async def test_an_overloaded_house_answers_503_by_priority(house: conftest.House) -> None:
    shown = await house.key(await money.tenant(house.db))
    client = await house.client(shown.secret, await house.serve(max_queue_length=2))
    body = {"model": "sandbox/image", "prompt": "A lighthouse"}
    for _ in range(2):
        assert (await client.post("/v1/images", json=body)).status_code == 202
    fresh = await house.client(shown.secret, await house.serve(max_queue_length=2))
    low = await fresh.post("/v1/images", json=body | {"priority": 0})
    assert (low.status_code, low.json()["error"]["code"]) == (503, "overloaded")
    assert low.headers["Retry-After"] == "30"
    assert (await fresh.post("/v1/images", json=body | {"priority": 9})).status_code == 202


async def test_headers_that_are_too_large_are_refused(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/v1/jobs", headers={"X-Much": "x" * 40_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (431, "headers_too_large")


async def test_browsers_of_other_origins_get_no_leave_unless_told(house: conftest.House) -> None:
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    strict = await house.client("")
    assert "access-control-allow-origin" not in (await strict.options("/v1/videos", headers=asking)).headers
    open_house = await house.client("", await house.serve(cors_origins=["https://shop.example"]))
    answer = await open_house.options("/v1/videos", headers=asking)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in answer.headers
