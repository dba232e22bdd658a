"""What a single job waits for us when nothing else is going on: from submit to the provider being asked, and from its
being found done to `completed`.

`python benchmarks/idle_latency.py [--jobs 40]`; prints `name ratio yardstick measured target` twice, in milliseconds.
"""

import argparse
import asyncio
from datetime import datetime
from typing import Any

from frame import accounts, figures, processes

from cli import client

ASKED_MS, COMPLETED_MS = 60.0, 250.0


def milliseconds(later: str, earlier: str) -> float:
    """Between two moments of an answer."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000


async def run_one(api: client.Client, number: int) -> dict[str, Any]:
    """A video that is done at its first poll."""
    body = {"model": "sandbox/video-instant", "prompt": f"A heron {number}", "duration": 1}
    receipt = await api.submit("video", body)
    job: dict[str, Any] = {}
    async for seen in api.follow(receipt["id"]):
        job = seen
    assert job["status"] == "completed", job["error"]
    return job


def tell(name: str, what: str, found: list[float], target: float) -> None:
    """The line, which has no yardstick: the ratio is of the target."""
    middle = figures.median(found)
    notes = {"p95_ms": figures.percentile(found, 0.95)}
    figures.tell(figures.Line(name, middle / target, target, middle, 1.0, "ms", what, at_most=True, notes=notes))


async def main(jobs: int) -> None:
    """Print the lines."""
    asked: list[float] = []
    completed: list[float] = []
    async with processes.whole() as local:
        customer = await accounts.customer(local)
        async with client.Client(local.base_url, customer.secret) as api:
            await run_one(api, -1)
            for number in range(jobs):
                job = await run_one(api, number)
                [attempt] = job["attempts"]
                asked.append(milliseconds(attempt["sent_at"], job["created_at"]))
                completed.append(milliseconds(job["finished_at"], attempt["finished_at"]))
    tell("idle_latency_asked", "submit to provider asked, p50 at most", asked, ASKED_MS)
    tell("idle_latency_completed", "found done to completed, p50 at most", completed, COMPLETED_MS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=40)
    asyncio.run(main(parser.parse_args().jobs))
