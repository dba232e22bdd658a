"""Thousands of open SSE streams on one API process: memory of each, and how soon an event reaches those who follow.

`python benchmarks/streams.py [--streams 5000]`; prints `name ratio yardstick measured target` twice.
"""

import argparse
import asyncio
import time

import aiohttp
from frame import accounts, figures, processes

from cli import client

JOBS, KILOBYTES, FAN_OUT_MS = 50, 20.0, 500.0
OPENING = 100


async def main(streams: int) -> None:
    """Print the lines."""
    async with (
        processes.servers() as made,
        processes.api(made) as api,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**12
        ) as session,
    ):
        customer = await accounts.customer(made)
        headers = {"Authorization": f"Bearer {customer.secret}"}
        cancelled_at: dict[str, float] = {}
        seconds: list[float] = []
        opened = asyncio.Semaphore(OPENING)
        following = asyncio.Condition()
        count = 0

        async def follow(job_id: str) -> None:
            nonlocal count
            async with opened:
                answer = await session.get(f"{made.base_url}/v1/jobs/{job_id}/events", headers=headers)
                assert answer.status == 200
                await answer.content.readline()
            async with following:
                count += 1
                following.notify_all()
            async for line in answer.content:
                if line.startswith(b"event: job.cancelled"):
                    seconds.append(time.perf_counter() - cancelled_at[job_id])
                    break
            answer.close()

        async with client.Client(made.base_url, customer.secret) as caller:
            body = {"model": "sandbox/video", "prompt": "x"}
            jobs = [(await caller.submit("video", body))["id"] for _ in range(JOBS)]
            before = processes.megabytes(api)
            tasks = [asyncio.create_task(follow(jobs[number % JOBS])) for number in range(streams)]
            async with following:
                await following.wait_for(lambda: count == streams)
            each = (processes.megabytes(api) - before) * 1024 / streams
            for job_id in jobs:
                cancelled_at[job_id] = time.perf_counter()
                await caller.post(f"/v1/jobs/{job_id}/cancel")
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)
    p95 = figures.percentile(seconds, 0.95) * 1000
    what = f"memory of each of {streams} open streams"
    figures.tell(figures.Line("streams_memory", each / KILOBYTES, KILOBYTES, each, 1, "KB", what, at_most=True))
    what = f"event to each of its {streams // JOBS} followers, p95, one job after the other"
    figures.tell(figures.Line("streams_fan_out", p95 / FAN_OUT_MS, FAN_OUT_MS, p95, 1, "ms", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=5000)
    asyncio.run(main(parser.parse_args().streams))
