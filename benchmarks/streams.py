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


class Crowd:
    """Everybody who follows, and when each heard of the end."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, secret: str) -> None:
        self._session, self._base_url = session, base_url
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._opening = asyncio.Semaphore(OPENING)
        self._changed = asyncio.Condition()
        self._following = 0
        self.cancelled_at: dict[str, float] = {}
        self.seconds: list[float] = []

    async def follow(self, job_id: str) -> None:
        """One stream, until it says that the job is cancelled."""
        async with self._opening:
            url = f"{self._base_url}/v1/jobs/{job_id}/events"
            answer = await self._session.get(url, headers=self._headers)
            assert answer.status == 200
            await answer.content.readline()
        async with self._changed:
            self._following += 1
            self._changed.notify_all()
        async for line in answer.content:
            if line.startswith(b"event: job.cancelled"):
                self.seconds.append(time.perf_counter() - self.cancelled_at[job_id])
                break
        answer.close()

    async def complete(self, streams: int) -> None:
        """Return when so many follow."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._following == streams)


async def measured(session: aiohttp.ClientSession, streams: int) -> tuple[float, list[float]]:
    """Kilobytes of each stream, and the seconds after which each heard."""
    async with processes.servers() as made, processes.api(made) as api:
        customer = await accounts.customer(made)
        crowd = Crowd(session, made.base_url, customer.secret)
        async with client.Client(made.base_url, customer.secret) as caller:
            body = {"model": "sandbox/video", "prompt": "x"}
            jobs = [(await caller.submit("video", body))["id"] for _ in range(JOBS)]
            before = processes.megabytes(api)
            tasks = [asyncio.create_task(crowd.follow(jobs[number % JOBS])) for number in range(streams)]
            await crowd.complete(streams)
            each = (processes.megabytes(api) - before) * 1024 / streams
            for job_id in jobs:
                crowd.cancelled_at[job_id] = time.perf_counter()
                await caller.post(f"/v1/jobs/{job_id}/cancel")
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)
    assert len(crowd.seconds) == streams
    return each, crowd.seconds


async def main(streams: int) -> None:
    """Print the lines."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**12) as session:
        each, seconds = await measured(session, streams)
    p95 = figures.percentile(seconds, 0.95) * 1000
    what = f"memory of each of {streams} open streams"
    figures.tell(figures.Line("streams_memory", each / KILOBYTES, KILOBYTES, each, 1, "KB", what, at_most=True))
    what = f"event to each of its {streams // JOBS} followers, p95, one job after the other"
    figures.tell(figures.Line("streams_fan_out", p95 / FAN_OUT_MS, FAN_OUT_MS, p95, 1, "ms", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=5000)
    asyncio.run(main(parser.parse_args().streams))
