"""A large video from the provider to S3 (fetched, hashed, stored, opened, previews made) against curl from the one and
then to the other; and what it adds to the memory of the process.

`python benchmarks/collect.py [--megabytes 500]`; prints `name ratio yardstick measured target` twice.
"""

import argparse
import asyncio
import contextlib
import json
import os
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psutil
from aiohttp import web
from frame import figures, processes

from cli.stack import stack
from shared import clock, ids, settings
from shared.domain import attempts, jobs, outputs, requests, states
from shared.providers.sandbox import media
from shared.services import claims
from shared.storage import bucket, objects
from workers import context
from workers.steps import deposit

TARGET, GROWTH_MB = 0.7, 64.0


def small_video() -> bytes:
    """A real film."""
    return media.make(media.Order("A heron", 1, 320, 240, "mp4", 4.0))


def large_video(path: Path, megabytes: int) -> None:
    """A real film with a long box of padding behind it, which players pass over."""
    film = small_video()
    with path.open("wb") as file:
        file.write(film + struct.pack(">I", megabytes * 2**20 + 8) + b"free")
        for _ in range(megabytes):
            file.write(os.urandom(2**20))


@contextlib.asynccontextmanager
async def provider(path: Path) -> AsyncIterator[str]:
    """Whoever made the film."""
    app = web.Application()
    small = small_video()

    async def give(_: web.Request) -> web.Response:
        return web.Response(body=small, content_type="video/mp4")

    app.router.add_get("/small.mp4", give)
    app.router.add_get("/film.mp4", lambda _: web.FileResponse(path))  # type: ignore[arg-type,return-value] # aiohttp awaits it
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/film.mp4"
    finally:
        await runner.cleanup()


async def curl(*arguments: str) -> None:
    """Run it."""
    process = await asyncio.create_subprocess_exec("curl", "--silent", "--show-error", "--fail", *arguments)
    assert await process.wait() == 0


async def copied(made: stack.Stack, url: str, folder: Path) -> float:
    """Seconds of curl from the one and curl to the other."""
    target = bucket.Bucket(bucket.location_of(_settings(made)))
    parameters = {"Bucket": target.of("bench/copied.mp4"), "Key": "bench/copied.mp4"}
    put = target.client.generate_presigned_url("put_object", Params=parameters)
    began = time.perf_counter()
    await curl("--output", str(folder / "copied.mp4"), url)
    await curl("--upload-file", str(folder / "copied.mp4"), put)
    seconds = time.perf_counter() - began
    target.close()
    return seconds


async def collected(made: stack.Stack, url: str) -> tuple[float, float]:
    """Seconds, and megabytes of growth, of a process that collects it as a worker does."""
    pipe = asyncio.subprocess.PIPE
    argv = [sys.executable, __file__, "--url", url]
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, env={**os.environ, **made.env})
    out, _ = await process.communicate()
    assert process.returncode == 0
    seconds, grown = json.loads(out.splitlines()[-1])  # logs come before
    return seconds, grown


async def collect(url: str) -> None:
    """The child: deposits the film as the step of a job does."""
    os.environ["GENQUEUE_ALLOWED_NETWORKS"] = '["127.0.0.0/8"]'
    os.environ["GENQUEUE_ALLOWED_LOCAL_NETWORKS"] = '["127.0.0.0/8"]'
    os.environ["GENQUEUE_ALLOW_PLAIN_HTTP"], os.environ["GENQUEUE_OUTBOUND_PORTS"] = "true", "[]"
    at = context.open_context(settings.load())
    small = outputs.Source(url=url.replace("film.mp4", "small.mp4"))
    source = outputs.Source(url=url)
    with tempfile.TemporaryDirectory() as folder:
        place = deposit.Place(*_held(), 0, Path(folder) / "0")
        # A worker that has worked before: what is loaded once is none of the large film's.
        await deposit.deposit(at, place, small)
        me, over = psutil.Process(), asyncio.Event()
        before, most = processes.megabytes(me), 0.0

        async def watch() -> None:
            nonlocal most
            while not over.is_set():
                most = max(most, processes.megabytes(me))
                await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        stored = await deposit.deposit(at, place, source)
        seconds = time.perf_counter() - began
        over.set()
        await watching
    assert len(stored) == 3
    print(json.dumps([seconds, most - before]), flush=True)
    os._exit(0)


def _held() -> tuple[claims.Claim, attempts.Attempt]:
    now = clock.now()
    job = jobs.Job(
        id=ids.new(ids.Prefix.JOB),
        tenant_id="ten_00000000000000000000000000",
        key_id="key",
        kind=states.Kind.VIDEO,
        status=states.JobStatus.IN_PROGRESS,
        step=states.Step.COLLECT,
        model="sandbox/video",
        priority=5,
        on_doubt=states.OnDoubt.FAIL,
        created_at=now,
        deadline_at=now + timedelta(hours=1),
        due_at=now,
        fence=1,
        sequence=1,
        progress=0,
        metadata={},
        estimate_micros=0,
        cost_micros=0,
        turn_at=now,
    )
    attempt = attempts.Attempt(
        id=ids.new(ids.Prefix.ATTEMPT),
        job_id=job.id,
        number=1,
        model="sandbox/video",
        provider="sandbox",
        upstream_model="video",
        credential=0,
        status=states.AttemptStatus.SUCCEEDED,
        reference="r",
        created_at=now,
    )
    request = requests.VideoRequest(model="sandbox/video", prompt="A heron")
    return claims.Claim(job, request, (attempt,), {}), attempt


def _settings(made: stack.Stack) -> settings.Settings:
    return settings.Settings.model_validate(
        {name.removeprefix("GENQUEUE_").lower(): value for name, value in made.env.items()}
    )


async def main(megabytes: int, rounds: int) -> None:
    """Print the lines."""
    grown: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large_video(folder / "film.mp4", megabytes)
        async with processes.servers() as made, provider(folder / "film.mp4") as url:
            store = objects.Objects(bucket.location_of(_settings(made)))
            await store.ensure_bucket()
            store.close()

            async def bare() -> float:
                return megabytes / await copied(made, url, folder)

            async def ours() -> float:
                seconds, more = await collected(made, url)
                grown.append(more)
                return megabytes / seconds

            yardsticks, measured = await figures.in_turns(bare, ours, rounds=rounds)
    ratio = figures.median([one / other for other, one in zip(yardsticks, measured, strict=True)])
    middle = figures.median(yardsticks), figures.median(measured)
    figures.tell(figures.Line("collect", ratio, *middle, TARGET, "MB/s", "curl from the provider, curl to S3"))
    most, what = max(grown), f"growth of the process over {megabytes} MB"
    figures.tell(figures.Line("collect_memory", most / GROWTH_MB, GROWTH_MB, most, 1, "MB", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url")
    given = parser.parse_args()
    asyncio.run(collect(given.url) if given.url else main(given.megabytes, given.rounds))
