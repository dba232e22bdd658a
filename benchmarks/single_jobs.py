"""Single jobs a second through everything (an instant image: accepted, rung for, asked for, stored in S3, completed)
with one worker process, against no-op tasks of Celery on the same cores.

`python benchmarks/single_jobs.py [--count 500]`; prints `name ratio yardstick measured target`.
"""

import argparse
import asyncio
import json
import time

import batch_run
from frame import accounts, figures, load, paired, processes

from cli import client

TARGET = 0.25
BODY = json.dumps({"model": "sandbox/image-instant", "prompt": "A heron at dawn", "size": "256x256"})


async def main(count: int, rounds: int) -> None:
    """Print the line."""
    async with processes.whole() as local:
        customer = await accounts.customer(local)
        headers, port = {"Authorization": f"Bearer {customer.secret}"}, int(local.base_url.rpartition(":")[2])

        async def noops() -> float:
            return 4 * count / await batch_run.tasks(local, 4 * count)

        async def ours() -> float:
            began = time.perf_counter()
            plan = load.Plan(port, count, 16, "POST", ["/v1/images"], headers, BODY)
            (await load.send(plan)).rate(plan, 202)
            async with client.Client(local.base_url, customer.secret) as api:
                while await api.jobs({"status": ["queued", "in_progress"]}, 1):  # noqa: ASYNC110 - as a user sees it
                    await asyncio.sleep(0.1)
                assert not await api.jobs({"status": ["failed"]}, 1)
            return count / (time.perf_counter() - began)

        await ours()
        against = "Celery's no-op tasks through one worker"
        await paired.tell("single_jobs", TARGET, "jobs/s", against, noops, ours, rounds=rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.count, given.rounds))
