"""Accepted jobs a second (authenticated, validated, priced, budget reserved, durable) of one API process, over 32
connections, against a bare FastAPI that parses the same body and answers 202.

`python benchmarks/accept.py [--count 8000]`; prints `name ratio yardstick measured target` twice: rate, and p99.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from frame import accounts, figures, load, processes, profile

from shared.queues import hints

BODY = json.dumps(
    {
        "model": "sandbox/video",
        "prompt": "A paper boat drifts down a rainy street at night, neon reflections on the water, slow tracking shot",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "metadata": {"order": "17", "campaign": "spring"},
    }
)
TARGET, P99_TARGET = 0.25, 6.0
CONNECTIONS = 32


def plan(port: int, count: int, secret: str = "", keyed: str = "") -> load.Plan:
    """`count` videos."""
    headers = {"Authorization": f"Bearer {secret}"}
    return load.Plan(port, count, CONNECTIONS, "POST", ["/v1/videos"], headers, BODY, keyed)


def keep_parts(parts: dict[str, float]) -> None:
    """For docs/benchmarks.md, when a whole run collects."""
    folder = os.environ.get(figures.RESULTS)
    if folder:
        (Path(folder) / "accept.parts").write_text(json.dumps(parts))


async def wear(url: str) -> None:
    """Have Postgres use its files again, as it does once it has run for a while. One that is just made begins a new
    one every 16 MB: it fills it with zeros, and all requests of that moment, one per cent of a round, wait 10 ms.
    """
    connection = await asyncpg.connect(hints.dsn(url))
    await connection.execute("CREATE TABLE worn AS SELECT repeat('x', 1000) FROM generate_series(1, 300000)")
    await connection.execute("DROP TABLE worn")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def main(count: int, rounds: int) -> None:
    """Print the lines."""
    async with processes.servers() as made, processes.api(made) as api:
        await wear(made.env["GENQUEUE_DATABASE_URL"])
        bare_port, port = processes.free_port(), int(made.base_url.rpartition(":")[2])
        customer = await accounts.customer(made)
        waits: dict[str, list[float]] = {"bare": [], "ours": []}
        cpu: list[float] = []

        def sender(name: str, wanted: Callable[[int], load.Plan]) -> Callable[[], Awaitable[float]]:
            async def send() -> float:
                asked = wanted(len(waits[name]))
                before = processes.cpu_seconds(api)
                outcome = await load.send(asked)
                if name == "ours":
                    cpu.append((processes.cpu_seconds(api) - before) / asked.count * 1e6)
                waits[name].append(outcome.p99_ms)
                return outcome.rate(asked, 202)

            return send

        async with processes.bare(bare_port):
            bare = sender("bare", lambda _: plan(bare_port, 2 * count))
            ours = sender("ours", lambda number: plan(port, count, customer.secret, f"round-{number}-"))
            await load.send(plan(port, 200, customer.secret))
            yardsticks, measured = await figures.in_turns(bare, ours, rounds=rounds)
            keep_parts(await profile.of(api, ours, count))
            waits["ours"].pop()
    ratio = figures.median([ours / bare for bare, ours in zip(yardsticks, measured, strict=True)])
    rate = figures.median(measured)
    notes = {"api_cpu_us": figures.median(cpu)}
    bare_rate = figures.median(yardsticks)
    against = "a bare FastAPI POST that parses the same body"
    figures.tell(figures.Line("accept", ratio, bare_rate, rate, TARGET, "requests/s", against, notes=notes))
    late = [ours / bare for bare, ours in zip(waits["bare"], waits["ours"], strict=True)]
    bare_p99, our_p99 = figures.median(waits["bare"]), figures.median(waits["ours"])
    figures.tell(
        figures.Line("accept_p99", figures.median(late), bare_p99, our_p99, P99_TARGET, "ms", against, at_most=True)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.count, given.rounds))
