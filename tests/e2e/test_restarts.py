"""Whatever is stopped and started again under load, every job ends as it should (promise P1)."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine

import pytest
from redis import asyncio as redis

from cli import client
from cli.stack import stack

Finish = Callable[[str, client.Json], Coroutine[None, None, client.Json]]
Disturb = Callable[[stack.Stack], Awaitable[None]]
WORKERS = ("worker-1", "worker-2")


async def rolling_restart(running: stack.Stack) -> None:
    """What a deployment does: SIGTERM, one after the other."""
    for name in WORKERS:
        await running.kill(name, signal.SIGTERM)
        await running.restart(name)


async def kill_all_workers(running: stack.Stack) -> None:
    for name in WORKERS:
        await running.kill(name)
    for name in WORKERS:
        await running.restart(name)


async def empty_redis(running: stack.Stack) -> None:
    async with redis.Redis.from_url(running.env["GENQUEUE_REDIS_URL"]) as server:
        await server.flushall()


async def lose_redis(running: stack.Stack) -> None:
    await running.kill("redis")
    await running.restart("redis")
    await empty_redis(running)


async def lose_storage(running: stack.Stack) -> None:
    await running.kill("s3")
    await running.restart("s3")


async def crash_postgres(running: stack.Stack) -> None:
    """SIGQUIT is Postgres' immediate mode: no checkpoint, recovery at the next start."""
    await running.kill("postgres", signal.SIGQUIT)
    await running.restart("postgres")


async def kill_relay(running: stack.Stack) -> None:
    await running.kill("relay")
    await running.restart("relay")


async def under_load(running: stack.Stack, finish: Finish, disturb: Disturb) -> list[client.Json]:
    """Thirty jobs of all kinds, disturbed as soon as the first has been taken up."""
    models = ("image-async", "video-instant", "text-async") * 10
    submitted = [
        asyncio.create_task(finish(model.split("-")[0], {"model": f"sandbox/{model}", "prompt": "a heron"}))
        for model in models
    ]
    await asyncio.wait(submitted, return_when=asyncio.FIRST_COMPLETED)
    await disturb(running)
    return list(await asyncio.gather(*submitted))


@pytest.mark.parametrize(
    "disturb", [kill_all_workers, empty_redis, lose_redis, lose_storage, crash_postgres, kill_relay]
)
async def test_every_job_is_completed(running: stack.Stack, finish: Finish, disturb: Disturb) -> None:
    jobs = await under_load(running, finish, disturb)
    assert [job["status"] for job in jobs] == ["completed"] * len(jobs)


async def test_a_rolling_restart_repeats_nothing(running: stack.Stack, finish: Finish) -> None:
    jobs = await under_load(running, finish, rolling_restart)
    assert [job["status"] for job in jobs] == ["completed"] * len(jobs)
    assert [len(job["attempts"]) for job in jobs] == [1] * len(jobs)
