"""Rows a second on the instant sandbox text model against a bare asyncio and aiohttp loop that asks the same server at
the same concurrency, and against no-op tasks of Celery on the same cores.

`python benchmarks/batch_run.py [--rows 10000]`; prints `name ratio yardstick measured target` twice.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import celery
import redis.asyncio as aioredis
from frame import figures

from cli import client
from cli.stack import stack

AT_ONCE = 64
LOOP_TARGET, CELERY_TARGET = 0.5, 1.5
REDIS = "BENCHMARK_REDIS_URL"

app = celery.Celery("noop", broker=os.environ.get(REDIS, "redis://unused"))
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4, task_default_queue="noop")


@app.task(name="noop")
def noop(_: int) -> None:
    """Nothing."""


async def bare(url: str, rows: int) -> float:
    """Seconds of the simplest loop that asks for the same texts. Its keys are new, as a batch's are: an ask under a key
    the server knows is answered from its record, which costs it a fifth less.
    """
    left = iter(range(rows))
    name = f"bare{time.time_ns()}-"
    headers = {"Authorization": "Bearer sandbox"}

    async def ask(session: aiohttp.ClientSession) -> None:
        for number in left:
            body = {
                "kind": "text",
                "model": "text-instant",
                "reference": f"{name}{number}.1",
                "input": {"prompt": f"About Product number {number}"},
            }
            key = {"Idempotency-Key": f"{name}{number}.1"}
            async with session.post(f"{url}/keyed/v1/generations", json=body, headers=headers | key) as answer:
                assert (await answer.json())["outputs"]

    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(ask(session) for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def batch(local: stack.Stack, folder: Path, rows: int) -> float:
    """Seconds from the start of the batch to the last answer written down."""
    file = folder / "rows.csv"
    file.write_text("name\n" + "".join(f"Product number {number}\n" for number in range(rows)))
    fields = {"model": "sandbox/text-instant", "template": "About {{name}}", "max_concurrency": str(AT_ONCE)}
    async with client.Client(local.base_url, local.admin_key) as api:
        made = await api.upload("/v1/batches", file, fields | {"dry_run": "true"})
        while made["status"] == "validating":
            made = await api.get(f"/v1/batches/{made['id']}")
        began = time.perf_counter()
        made = await api.post(f"/v1/batches/{made['id']}/start")
        while made["counts"]["completed"] < rows:
            await asyncio.sleep(0.1)
            made = await api.get(f"/v1/batches/{made['id']}")
        return time.perf_counter() - began


async def tasks(local: stack.Stack, rows: int) -> float:
    """Seconds to send and to run as many no-op tasks with one worker."""
    url = local.env["GENQUEUE_REDIS_URL"]
    app.conf.update(broker_url=url)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "celery", "--app", "batch_run", "worker", "--pool", "threads", "--concurrency", "32"),
        *("--queues", "noop", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"),
        env=os.environ | {REDIS: url, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    broker = aioredis.Redis.from_url(url)
    await asyncio.to_thread(_send, 100)
    await _drained(broker)
    began = time.perf_counter()
    await asyncio.to_thread(_send, rows)
    await _drained(broker)
    seconds = time.perf_counter() - began
    worker.terminate()
    await worker.wait()
    await broker.aclose()
    return seconds


def _send(count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            app.send_task("noop", (number,), producer=producer)


async def _drained(broker: "aioredis.Redis") -> None:
    while await broker.llen("noop") or await broker.hlen("unacked"):  # noqa: ASYNC110 - Redis tells nobody when it is empty
        await asyncio.sleep(0.02)


async def main(rows: int, rounds: int) -> None:
    """Print the lines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stack.Stack(
            data_dir=folder / "data", usual_ports=False, temporary=True, say=lambda _: None
        ) as local:
            found = await figures.in_turns(
                lambda: bare(local.env["GENQUEUE_SANDBOX_URL"], rows),
                lambda: batch(local, folder, rows),
                lambda: tasks(local, rows),
                rounds=rounds,
            )
    loops, ours, noops = ([rows / seconds for seconds in times] for times in found)
    tell("batch_run", LOOP_TARGET, "a bare asyncio and aiohttp loop, as many at once", loops, ours)
    tell("batch_run_celery", CELERY_TARGET, "Celery's no-op tasks through one worker", noops, ours)


def tell(name: str, target: float, against: str, yardsticks: Sequence[float], ours: Sequence[float]) -> None:
    """One line."""
    ratio = figures.median([own / other for other, own in zip(yardsticks, ours, strict=True)])
    middle = figures.median(yardsticks), figures.median(ours)
    figures.tell(figures.Line(name, ratio, *middle, target, "rows/s", against))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.rows, given.rounds))
