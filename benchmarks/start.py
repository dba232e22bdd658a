"""`genqueue up` from an empty folder until it is ready, against the three servers starting one after the other alone.

`python benchmarks/start.py [--rounds 5]`; prints `name ratio yardstick measured target` (seconds; at most).
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from frame import figures

from cli.stack import stack

TARGET = 2.0
ELSEWHERE = {
    "GENQUEUE_DATABASE_URL": "postgresql+asyncpg://unused",
    "GENQUEUE_REDIS_URL": "redis://unused",
    "GENQUEUE_S3_ENDPOINT_URL": "http://unused",
}


async def started(*, servers_only: bool, **environ: str) -> float:
    """Seconds until it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        made = stack.Stack(
            data_dir=Path(folder) / "data",
            servers_only=servers_only,
            usual_ports=False,
            temporary=True,
            environ=environ,
            say=lambda _: None,
        )
        began = time.perf_counter()
        async with made:
            return time.perf_counter() - began


async def servers() -> float:
    """The sum of the three, each alone."""
    alone = [{name: url for name, url in ELSEWHERE.items() if name != wanted} for wanted in ELSEWHERE]
    return sum([await started(servers_only=True, **others) for others in alone])


async def whole() -> float:
    """Everything."""
    return await started(servers_only=False)


async def main(rounds: int) -> None:
    """Print the line."""
    yardsticks, measured = await figures.in_turns(servers, whole, rounds=rounds)
    ratio = figures.median([ours / bare for bare, ours in zip(yardsticks, measured, strict=True)])
    against = "the three servers starting one after the other"
    middle = figures.median(yardsticks), figures.median(measured)
    figures.tell(figures.Line("start", ratio, *middle, TARGET, "s", against, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    asyncio.run(main(parser.parse_args().rounds))
