"""Where the time of one accept goes: py-spy's samples of the API process, by the layer they fell into."""

import asyncio
import collections
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import psutil

from frame import processes

RATE = 250
# The innermost frame that one of these names decides; the first in this order wins within a frame.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "what is written in a group: asyncpg, JSON": ("services/groups.py", "db/groups.py"),
    "rate limit in Redis": ("api/rates.py", "queues/limits.py"),
    "key and scope": ("api/auth.py",),
    "Idempotency-Key": ("api/idempotency.py",),
    "routing, pricing and the new job": ("services/acceptance.py",),
    "announcing (hint, news, log line)": ("queues/live.py", "queues/hints.py", "structlog/"),
    "our middlewares": ("api/middleware.py",),
    "reading, validating and answering: FastAPI, pydantic, Starlette": ("fastapi/", "starlette/", "api/"),
    "HTTP: uvicorn and httptools": ("uvicorn/protocols",),
}
OTHER = "the rest: the event loop, timers, the collector"


async def of(process: psutil.Process, work: Callable[[], Awaitable[float]], count: int) -> dict[str, float]:
    """Microseconds of CPU a request by layer, while `work` sends `count` requests; empty if py-spy may not look."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples"
        spy = await asyncio.create_subprocess_exec(
            *("py-spy", "record", "--pid", str(process.pid), "--format", "raw", "--output", str(file)),
            *("--rate", str(RATE), "--duration", "600", "--gil"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.sleep(1)
        before = processes.cpu_seconds(process)
        await work()
        used = (processes.cpu_seconds(process) - before) / count * 1e6
        if spy.returncode is not None:
            return {}
        spy.send_signal(signal.SIGINT)
        await spy.wait()
        return _shares(file.read_text().splitlines(), used)


def _shares(samples: list[str], used: float) -> dict[str, float]:
    counted: collections.Counter[str] = collections.Counter()
    for line in samples:
        stack, _, number = line.rpartition(" ")
        counted[_layer(stack.split(";"))] += int(number)
    whole = sum(counted.values()) or 1
    return {layer: used * counted[layer] / whole for layer in (*LAYERS, OTHER)}


def _layer(frames: list[str]) -> str:
    for frame in reversed(frames):
        for layer, places in LAYERS.items():
            if any(place in frame for place in places):
                return layer
    return OTHER
