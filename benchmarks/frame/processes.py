"""Servers, and single processes of ours beside them: a figure of the API must not share its cores with a worker."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import httpx
import psutil

from cli.stack import stack
from shared.db import schema

READY_SECONDS = 60
BENCHMARKS = Path(__file__).parent.parent


@contextlib.asynccontextmanager
async def servers(**environ: str) -> AsyncIterator[stack.Stack]:
    """The three servers alone, with a migrated database; `environ` for the processes that are started beside them."""
    with tempfile.TemporaryDirectory() as folder:
        made = stack.Stack(
            data_dir=Path(folder) / "data", servers_only=True, usual_ports=False, temporary=True, say=lambda _: None
        )
        async with made:
            await schema.upgrade(made.env["GENQUEUE_DATABASE_URL"])
            made.env.update(environ)
            yield made


@contextlib.asynccontextmanager
async def whole(**environ: str) -> AsyncIterator[stack.Stack]:
    """The whole local stack."""
    with tempfile.TemporaryDirectory() as folder:
        made = stack.Stack(
            data_dir=Path(folder) / "data", usual_ports=False, temporary=True, environ=environ, say=lambda _: None
        )
        async with made:
            yield made


def free_port() -> int:
    """A port nobody has at the moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.asynccontextmanager
async def running(argv: Sequence[str], env: Mapping[str, str], ready_url: str = "") -> AsyncIterator[psutil.Process]:
    """`python …` while the block lasts, once it answers 200 where it says it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *argv),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=None if os.environ.get("GENQUEUE_BENCH_SHOW") else asyncio.subprocess.DEVNULL,
        cwd=BENCHMARKS.parent,
    )
    try:
        if ready_url:
            await until_ready(ready_url)
        yield psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


async def until_ready(url: str) -> None:
    """Raises TimeoutError unless it answers 200 within a minute."""
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def api(made: stack.Stack, **environ: str) -> AsyncIterator[psutil.Process]:
    """One API process on the servers, at the port that `made.base_url` names."""
    port = made.base_url.rpartition(":")[2]
    env = {**made.env, **environ}
    async with running(["-m", "api", "--port", port], env, f"{made.base_url}/readyz") as process:
        yield process


@contextlib.asynccontextmanager
async def bare(port: int, **environ: str) -> AsyncIterator[psutil.Process]:
    """The bare FastAPI that figures of the API are held against."""
    env = {"PYTHONPATH": str(BENCHMARKS), **environ}
    argv = ["-m", "uvicorn", "frame.bare:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    async with running(argv, env, f"http://127.0.0.1:{port}/ready") as process:
        yield process


def cpu_seconds(process: psutil.Process, *, children: bool = False) -> float:
    """What it has used so far, of user and system time."""
    all_of_it = [process, *(process.children(recursive=True) if children else [])]
    return sum(sum(each.cpu_times()[:2]) for each in all_of_it)


def megabytes(process: psutil.Process) -> float:
    """What it would give back if it ended now (USS)."""
    return float(process.memory_full_info().uss) / 2**20
