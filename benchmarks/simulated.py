"""Single jobs a second as the simulation predicts them from the CPU each process used for a job, against what the same
run measured; and what the simulation says of larger installations.

`python benchmarks/simulated.py [--count 1200]`; prints `name ratio yardstick measured target`: the ratio is the
prediction's distance from what was measured, at most 0.25.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import time

import psutil
import uvloop
from frame import accounts, figures, load, machine, processes
from simulation import model

from cli import client
from cli.stack import stack

TARGET = 0.25
BODY = json.dumps({"model": "sandbox/image-instant", "prompt": "A heron at dawn", "size": "256x256"})
SUBMITTERS, THREADS, COMMITS = 16, 32, 5
NAMES = {"api": "api", "relay": "relay", "worker": "worker-1", "postgres": "postgres", "provider": "sandbox"}
LARGER = (1, 2, 4, 8)


def used(local: stack.Stack) -> dict[str, float]:
    """Seconds of CPU by process so far; the broker counts as storage, which nobody waits for either."""
    seconds = {name: _cpu(local.pids[process]) for name, process in NAMES.items()}
    return seconds | {"storage": _cpu(local.pids["s3"]) + _cpu(local.pids["redis"])}


def _cpu(pid: int) -> float:
    return processes.cpu_seconds(psutil.Process(pid), children=True)


async def run(local: stack.Stack, secret: str, count: int) -> float:
    """Seconds from the first submit to the last end."""
    plan = load.Plan(
        int(local.base_url.rpartition(":")[2]),
        count,
        SUBMITTERS,
        "POST",
        ["/v1/images"],
        {"Authorization": f"Bearer {secret}"},
        BODY,
    )
    began = time.perf_counter()
    (await load.send(plan)).rate(plan, 202)
    async with client.Client(local.base_url, secret) as api:
        while await api.jobs({"status": ["queued", "in_progress"]}, 1):  # noqa: ASYNC110 - as a user sees it
            await asyncio.sleep(0.2)
    return time.perf_counter() - began


async def measured(count: int) -> tuple[float, model.Costs]:
    """Jobs a second, and what a job cost meanwhile."""
    async with processes.whole() as local:
        customer = await accounts.customer(local)
        await run(local, customer.secret, 50)
        before = used(local)
        seconds = await run(local, customer.secret, count)
        after = used(local)
    sync = await asyncio.to_thread(machine.sync_microseconds)
    each = {name: (after[name] - before[name]) / count for name in after}
    return count / seconds, model.Costs(**each, generator=0.0001, commit_wait=sync / 1e6, commits=COMMITS)


def predicted(costs: model.Costs, count: int, cores: int, workers: int) -> float:
    """Jobs a second by the simulation."""
    made = model.Installation(cores, 1, workers, THREADS, SUBMITTERS)
    return model.Machine(costs, made).run(count).rate


async def main(count: int, rounds: int) -> None:
    """Print the lines."""
    found = [await measured(count) for _ in range(rounds)]
    cores = os.cpu_count() or 1
    pairs = [(rate, predicted(costs, count, cores, 1)) for rate, costs in found]
    distance = statistics.median(abs(guess - rate) / rate for rate, guess in pairs)
    rate, guess = (statistics.median(values) for values in zip(*pairs, strict=True))
    costs = found[-1][1]
    notes = {f"{name}_ms": value * 1000 for name, value in dataclasses.asdict(costs).items() if name != "commits"}
    what = "the rate that was measured in the same run; the ratio is the distance"
    figures.tell(figures.Line("simulated", distance, rate, guess, TARGET, "jobs/s", what, at_most=True, notes=notes))
    for workers in LARGER:
        more = predicted(costs, max(count, 1000), workers * 4, workers)
        print(f"simulated_{workers}_workers {more / rate:.2f} {rate:.0f} {more:.0f} -  # jobs/s, {workers * 4} cores")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    uvloop.run(main(given.count, given.rounds))
