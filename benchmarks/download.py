"""A stored output by redirect, and streamed through the API, against the S3 server itself; and what four parallel
streams add to the memory of the API.

`python benchmarks/download.py [--megabytes 1000]`; prints `name ratio yardstick measured target` three times. A
redirect costs one request, some 4 ms after a rest, whatever the size: 200 MB from this S3 server take no more than
50 ms. So the object is large, and the rounds are many: one takes less than a second.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import psutil
import sqlalchemy as sa
from frame import accounts, figures, processes

from cli.stack import stack
from shared import clock, ids, settings
from shared.db import engine
from shared.storage import bucket, objects

REDIRECT_TARGET, STREAM_TARGET, GROWTH_MB = 0.95, 0.5, 64.0
PIECE = b"\x5a" * 2**20
PARALLEL = 4

JOB = """
INSERT INTO jobs (id, tenant_id, key_id, kind, status, step, model, priority, turn_at, on_doubt, created_at,
  deadline_at, due_at, ring_at, estimate_micros, finished_at, progress)
VALUES (:id, :tenant, 'key', 'video', 'completed', 'done', 'sandbox/video', 5, :now, 'fail', :now, :now, :now, :now, 0,
  :now, 100)
"""
OUTPUT = """
INSERT INTO outputs (id, job_id, tenant_id, number, variant, key, media_type, size_bytes, sha256, created_at)
VALUES (:id, :job, :tenant, 0, 'main', :key, 'video/mp4', :size, :sha256, :now)
"""


async def pieces(megabytes: int) -> AsyncIterator[bytes]:
    """So many."""
    for _ in range(megabytes):
        yield PIECE


async def stored(made: stack.Stack, tenant_id: str, megabytes: int) -> str:
    """The path of an output of this size, as if a job had just made it."""
    configured = settings.Settings.model_validate(
        {name.removeprefix("GENQUEUE_").lower(): value for name, value in made.env.items()}
    )
    store, db = (
        objects.Objects(bucket.location_of(configured)),
        engine.Database(made.env["GENQUEUE_DATABASE_URL"], 1, "b"),
    )
    await store.ensure_bucket()
    put = await store.put_stream("bench/large.mp4", pieces(megabytes), "video/mp4", 2**40)
    job_id, now = ids.new(ids.Prefix.JOB), clock.now()
    async with db.transaction() as connection:
        await connection.execute(sa.text(JOB), {"id": job_id, "tenant": tenant_id, "now": now})
        values = {"job": job_id, "tenant": tenant_id, "key": put.key, "size": put.size_bytes, "sha256": put.sha256}
        await connection.execute(sa.text(OUTPUT), {"id": ids.new(ids.Prefix.OUTPUT), "now": now, **values})
    await db.close()
    store.close()
    return f"/v1/jobs/{job_id}/outputs/0"


async def fetch(session: aiohttp.ClientSession, url: str, secret: str = "") -> float:
    """Megabytes a second."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    began, size = time.perf_counter(), 0
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200, answer.status
        async for chunk in answer.content.iter_chunked(2**18):
            size += len(chunk)
    return size / 2**20 / (time.perf_counter() - began)


async def growth(session: aiohttp.ClientSession, api: psutil.Process, url: str, secret: str) -> float:
    """How many megabytes the API grows by while it streams four at once."""
    before, most, over = processes.megabytes(api), 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, processes.megabytes(api))
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(fetch(session, url, secret) for _ in range(PARALLEL)))
    over.set()
    await watching
    return most - before


async def main(megabytes: int, rounds: int) -> None:
    """Print the lines."""
    async with (
        processes.servers() as made,
        processes.api(made) as api,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
    ):
        customer = await accounts.customer(made)
        url = made.base_url + await stored(made, customer.tenant_id, megabytes)
        secret = customer.secret

        async def direct() -> float:
            async with session.get(url, headers={"Authorization": f"Bearer {secret}"}, allow_redirects=False) as answer:
                signed = answer.headers["Location"]
            return await fetch(session, signed)

        async def redirected() -> float:
            return await fetch(session, url, secret)

        async def streamed() -> float:
            return await fetch(session, f"{url}?stream=true", secret)

        await direct()
        grown = await growth(session, api, f"{url}?stream=true", secret)
        bare, by_redirect, through = await figures.in_turns(direct, redirected, streamed, rounds=rounds)
    for name, found, target in (
        ("download_redirect", by_redirect, REDIRECT_TARGET),
        ("download_streamed", through, STREAM_TARGET),
    ):
        ratio = figures.median([one / other for other, one in zip(bare, found, strict=True)])
        middle = figures.median(bare), figures.median(found)
        figures.tell(figures.Line(name, ratio, *middle, target, "MB/s", f"the S3 server directly, {megabytes} MB"))
    what = f"growth of the API while it streams {PARALLEL} x {megabytes} MB"
    figures.tell(figures.Line("download_memory", grown / GROWTH_MB, GROWTH_MB, grown, 1, "MB", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3 * figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.megabytes, given.rounds))
