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


class Followers:
    """All who follow: how many are there, and how late each heard of the end."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, headers: dict[str, str]) -> None:
        self._session, self._base_url, self._headers = session, base_url, headers
        self._opening = asyncio.Semaphore(OPENING)
        self._changed = asyncio.Condition()
        self._count = 0
        self.ended_at: dict[str, float] = {}
        self.seconds: list[float] = []

    async def all_there(self, wanted: int) -> None:
        """Wait until so many streams are open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._count == wanted)

    async def follow(self, job_id: str) -> None:
        """Open one stream and read it until its job is cancelled."""
        async with self._opening:
            answer = await self._session.get(f"{self._base_url}/v1/jobs/{job_id}/events", headers=self._headers)
            assert answer.status == 200
            await answer.content.readline()
        async with self._changed:
            self._count += 1
            self._changed.notify_all()
        async for line in answer.content:
            if line.startswith(b"event: job.cancelled"):
                self.seconds.append(time.perf_counter() - self.ended_at[job_id])
                break
        answer.close()


async def main(streams: int) -> None:
    """Print the lines."""
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with (
        processes.servers() as made,
        processes.api(made) as api,
        aiohttp.ClientSession(connector=connector, timeout=patience, read_bufsize=2**12) as session,
    ):
        customer = await accounts.customer(made)
        followers = Followers(session, made.base_url, {"Authorization": f"Bearer {customer.secret}"})
        async with client.Client(made.base_url, customer.secret) as caller:
            body = {"model": "sandbox/video", "prompt": "x"}
            jobs = [(await caller.submit("video", body))["id"] for _ in range(JOBS)]
            before = processes.megabytes(api)
            tasks = [asyncio.create_task(followers.follow(jobs[number % JOBS])) for number in range(streams)]
            await followers.all_there(streams)
            each = (processes.megabytes(api) - before) * 1024 / streams
            await _cancel_all(caller, jobs, followers, tasks)
    _tell(streams, each, figures.percentile(followers.seconds, 0.95) * 1000)


async def _cancel_all(
    caller: client.Client, jobs: list[str], followers: Followers, tasks: list[asyncio.Task[None]]
) -> None:
    for job_id in jobs:
        followers.ended_at[job_id] = time.perf_counter()
        await caller.post(f"/v1/jobs/{job_id}/cancel")
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks)


def _tell(streams: int, each: float, p95: float) -> None:
    what = f"memory of each of {streams} open streams"
    figures.tell(figures.Line("streams_memory", each / KILOBYTES, KILOBYTES, each, 1, "KB", what, at_most=True))
    what = f"event to each of its {streams // JOBS} followers, p95, one job after the other"
    figures.tell(figures.Line("streams_fan_out", p95 / FAN_OUT_MS, FAN_OUT_MS, p95, 1, "ms", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=5000)
    asyncio.run(main(parser.parse_args().streams))
