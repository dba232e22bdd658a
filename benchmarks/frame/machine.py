"""What the machine was on which the figures were measured."""

import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path

import psutil

LIBRARIES = ("fastapi", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "celery", "aiohttp", "pydantic")


def description() -> list[str]:
    """Lines of Markdown."""
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return [
        f"- {os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.release()}",
        f"- Python {platform.python_version()}; {versions}",
        f"- one `fdatasync` of 8 kB takes {sync_microseconds():,.0f} µs; fsync and synchronous_commit are on",
    ]


def sync_microseconds() -> float:
    """The median time of making a page durable, which is what a commit waits for: on the disk that the measured
    Postgres writes to, which is that of temporary folders.
    """
    with tempfile.TemporaryFile() as file:
        found = []
        for _ in range(50):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - began) * 1e6)
    return sorted(found)[len(found) // 2]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
