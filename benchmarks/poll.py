"""Status answers a second of one API process (`GET /v1/jobs/{id}`, authenticated), over 32 connections, against a bare
FastAPI that answers a JSON of that size.

`python benchmarks/poll.py [--count 4000]`; prints `name ratio yardstick measured target`.
"""

import argparse
import asyncio
import json

from frame import accounts, figures, load, processes

from cli import client

TARGET = 0.4
CONNECTIONS = 32
JOBS = 50


async def main(count: int, rounds: int) -> None:
    """Print the line."""
    async with processes.servers() as made, processes.api(made) as api:
        bare_port, port = processes.free_port(), int(made.base_url.rpartition(":")[2])
        customer = await accounts.customer(made)
        async with client.Client(made.base_url, customer.secret) as caller:
            body = {"prompt": "A paper boat drifts down a rainy street", "metadata": {"order": "17"}}
            receipts = [await caller.submit("video", {"model": "sandbox/video", **body}) for _ in range(JOBS)]
            shown = await caller.get(f"/v1/jobs/{receipts[0]['id']}")
        paths = [f"/v1/jobs/{receipt['id']}" for receipt in receipts]
        headers = {"Authorization": f"Bearer {customer.secret}"}
        cpu: list[float] = []

        async def bare() -> float:
            plan = load.Plan(bare_port, 2 * count, CONNECTIONS, "GET", paths, {})
            return (await load.send(plan)).rate(plan, 200)

        async def ours() -> float:
            plan, before = load.Plan(port, count, CONNECTIONS, "GET", paths, headers), processes.cpu_seconds(api)
            rate = (await load.send(plan)).rate(plan, 200)
            cpu.append((processes.cpu_seconds(api) - before) / count * 1e6)
            return rate

        async with processes.bare(bare_port, BARE_ANSWER=json.dumps(shown)):
            yardsticks, measured = await figures.in_turns(bare, ours, rounds=rounds)
    figures.tell(
        figures.Line(
            name="poll",
            ratio=figures.median([ours / bare for bare, ours in zip(yardsticks, measured, strict=True)]),
            yardstick=figures.median(yardsticks),
            measured=figures.median(measured),
            target=TARGET,
            unit="requests/s",
            against=f"a bare FastAPI GET of a JSON of that size ({len(json.dumps(shown))} bytes)",
            notes={"api_cpu_us": figures.median(cpu)},
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.count, given.rounds))
