"""Limits of providers hold over all workers, whatever Redis does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis import asyncio as redis

from shared import clock
from shared.db import attempts as attempt_rows
from shared.domain import attempts, capacity, endpoints, faults, states
from shared.services import endpoints as watching
from tests.integration.endpoints import conftest

MANY = 24


@pytest.fixture(autouse=True)
async def server(redis_url: str) -> AsyncIterator[redis.Redis]:
    async with redis.Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


def begun(answers: list[attempts.Attempt | float]) -> list[attempts.Attempt]:
    return [each for each in answers if isinstance(each, attempts.Attempt)]


async def rush(bench: conftest.Bench, urls: list[str | None], concurrency: int, count: int = MANY) -> int:
    """Many jobs at once at two workers; answers how many were let through."""
    workers = [bench.worker(url) for url in urls]
    asks = (bench.ask(workers[number % len(workers)], concurrency) for number in range(count))
    return len(begun(await asyncio.gather(*asks)))


async def test_concurrency_holds_over_two_workers(bench: conftest.Bench) -> None:
    assert await rush(bench, [None, None], concurrency=3) == 3


async def test_concurrency_holds_without_redis(bench: conftest.Bench) -> None:
    assert await rush(bench, [conftest.NOBODY_LISTENS] * 2, concurrency=3) == 3


async def test_a_worker_that_has_lost_redis_and_one_that_has_not(bench: conftest.Bench) -> None:
    """What was asked without Redis is told to it before it is trusted."""
    assert await rush(bench, [conftest.NOBODY_LISTENS], concurrency=5, count=3) == 3
    assert await rush(bench, [None], concurrency=5) == 2


async def test_an_emptied_redis_is_told_again(bench: conftest.Bench, server: redis.Redis) -> None:
    assert await rush(bench, [None], concurrency=4) == 4
    await server.flushall()
    assert await rush(bench, [None, None], concurrency=4) == 0


async def test_a_place_is_free_again_when_its_attempt_is_over(bench: conftest.Bench) -> None:
    worker = bench.worker()
    [first] = begun([await bench.ask(worker, 1)])
    assert begun([await bench.ask(worker, 1)]) == []
    async with bench.db.transaction() as connection:
        await attempt_rows.change(connection, first.id, states.AttemptStatus.NOT_SENT, finished_at=clock.now())
    await worker.give_back(first)
    assert len(begun([await bench.ask(worker, 1)])) == 1


async def test_a_slot_has_one_place_however_often_it_is_taken(bench: conftest.Bench) -> None:
    worker, other = bench.worker(), bench.worker()
    demand = capacity.Demand("a/one", "acme", "job_1.1", (0,), 1, 999)
    assert (await worker.take(demand)).credential == (await other.take(demand)).credential == 0
    with pytest.raises(capacity.FullError):
        await other.take(capacity.Demand("a/one", "acme", "job_2.1", (0,), 1, 999))


@pytest.mark.parametrize("url", [None, conftest.NOBODY_LISTENS], ids=["redis", "postgres"])
async def test_requests_a_minute(bench: conftest.Bench, url: str | None) -> None:
    worker = bench.worker(url)
    answers = [await bench.ask(worker, 99, per_minute=4) for _ in range(6)]
    assert len(begun(answers)) == 4
    # The oldest ask leaves the window a minute after it was made; the jitter is at most half as much again.
    assert all(isinstance(wait, attempts.Attempt) or 30 < wait < 90 for wait in answers)


@pytest.mark.parametrize("url", [None, conftest.NOBODY_LISTENS], ids=["redis", "postgres"])
async def test_the_last_minute_counts_even_if_redis_never_heard_of_it(bench: conftest.Bench, url: str | None) -> None:
    await bench.past([1.0, 5.0, 30.0, 70.0, 600.0])
    worker = bench.worker(url)
    assert len(begun([await bench.ask(worker, 99, per_minute=5) for _ in range(4)])) == 2


@pytest.mark.parametrize("url", [None, conftest.NOBODY_LISTENS], ids=["redis", "postgres"])
async def test_each_key_has_its_own_room_and_the_emptiest_is_chosen(bench: conftest.Bench, url: str | None) -> None:
    worker = bench.worker(url)
    found = begun([await bench.ask(worker, 2, credentials=(0, 2)) for _ in range(6)])
    assert Counter(each.credential for each in found) == {0: 2, 2: 2}
    assert [each.credential for each in found[:2]] in ([0, 2], [2, 0])


@pytest.mark.parametrize("url", [None, conftest.NOBODY_LISTENS], ids=["redis", "postgres"])
async def test_retry_after_holds_the_endpoint_for_everybody(bench: conftest.Bench, url: str | None) -> None:
    watch = watching.Watch(bench.db, {}, lambda: None)
    fault = faults.Fault(faults.FaultKind.THROTTLED, "slow down", 40.0)
    hold = watch.hold_of(fault, "a/one@acme", 0, clock.now())
    assert hold is not None
    await watch.hold(hold)
    if url is None:
        await bench.worker().hold("a/one@acme", 0, 40.0)
    wait = await bench.ask(bench.worker(url), 99)
    assert isinstance(wait, float)
    assert 35 < wait < 61
    assert len(begun([await bench.ask(bench.worker(url), 99, credentials=(0, 1))])) == 1


async def test_a_hold_outlives_an_emptied_redis(bench: conftest.Bench, server: redis.Redis) -> None:
    watch = watching.Watch(bench.db, {}, lambda: None)
    until = endpoints.Hold("a/one@acme", 0, endpoints.HoldReason.THROTTLED, clock.now() + timedelta(minutes=5))
    await watch.hold(until)
    await server.flushall()
    assert begun([await bench.ask(bench.worker(), 99)]) == []


def test_the_crowd_waits_the_longer_the_bigger_it_is() -> None:
    alone = capacity.pause_seconds(0.5, 1, 10, "job_1.1")
    assert alone < capacity.pause_seconds(0.5, 200, 10, "job_1.1") < capacity.pause_seconds(0.5, 9999, 10, "job_1.1")
    assert capacity.pause_seconds(0.5, 10**9, 1, "job_1.1") <= capacity.LONGEST_WAIT_SECONDS * 1.5
