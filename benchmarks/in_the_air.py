"""10,000 videos in the air on ONE worker process: polls a second, all database work included, against a bare asyncio
and aiohttp loop that asks the same server; the worker's memory; and how late a finished one is noticed.

`python benchmarks/in_the_air.py [--jobs 10000]`; prints `name ratio yardstick measured target` three times.
"""

import argparse
import asyncio
import time
from datetime import timedelta

import aiohttp
import asyncpg
import psutil
from frame import figures, processes

from cli.stack import stack
from shared import clock, ids
from shared.domain import backoff
from shared.queues import hints

TARGET, MEMORY_MB, LATE_SECONDS = 0.4, 200.0, 1.0
AT_ONCE = 200
FINISHING = 200
SLOW_SECONDS = 20.0
HEADERS = {"Authorization": "Bearer sandbox"}
# What the jobs that never end are in our books; at the provider they hang. (Under the name of the model that hangs they
# would be given up after 10 s.) They were polled so often before that the pause between polls has grown to its longest.
MODEL, POLLED_BEFORE = "sandbox/video", 14

FILL = """
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS t(job, attempt, upstream)
), made AS (
  INSERT INTO jobs (id, tenant_id, key_id, kind, status, step, model, priority, turn_at, on_doubt, created_at,
    deadline_at, due_at, ring_at, estimate_micros, started_at, attempt_id)
  SELECT job, 'ten_00000000000000000000000000', 'key', 'video', 'in_progress', 'poll', $4, 5, $5, 'fail', $5, $6, $7,
    $7, 0, $5, attempt FROM given
), asked AS (INSERT INTO requests (job_id, body) SELECT job, '{"model": "sandbox/video", "prompt": "x"}' FROM given)
INSERT INTO attempts (id, job_id, number, model, provider, upstream_model, status, reference, upstream_id, created_at,
  sent_at, accepted_at, poll_count)
SELECT attempt, job, 1, $4, 'sandbox', 'video', 'accepted', attempt, upstream, $5, $5, $5, $8 FROM given
"""
POLLED = "SELECT count(*) FROM attempts WHERE poll_count >= $1 AND model = $2"
DUE = "UPDATE jobs SET due_at = $1 WHERE step = 'poll' AND lease_owner IS NULL AND model = $2"
SPREAD = "UPDATE jobs SET due_at = now() + random() * interval '13 s' WHERE step = 'poll' AND model = $1"
# A round may not be longer than what the catalog calls stuck.
ACCEPTED_NOW = "UPDATE attempts SET accepted_at = now() WHERE model = $1"


async def begin(session: aiohttp.ClientSession, url: str, model: str, count: int) -> list[str]:
    """So many generations at the provider; their ids."""
    left, made = iter(range(count)), list[str]()

    async def ask() -> None:
        for number in left:
            body = {"kind": "video", "model": model, "reference": f"{model}{number}.1", "input": {"prompt": "x"}}
            body["input"] |= {"size": "64x64", "duration": 1}  # type: ignore[operator] # it is a dict
            async with session.post(f"{url}/keyed/v1/generations", json=body, headers=HEADERS) as answer:
                made.append((await answer.json())["id"])

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return made


async def bare(session: aiohttp.ClientSession, url: str, upstream: list[str]) -> float:
    """Polls a second of the simplest loop."""
    left = iter(upstream)

    async def poll() -> None:
        for one in left:
            async with session.get(f"{url}/keyed/v1/generations/{one}", headers=HEADERS) as answer:
                assert (await answer.json())["status"] in ("queued", "running")

    began = time.perf_counter()
    await asyncio.gather(*(poll() for _ in range(AT_ONCE)))
    return len(upstream) / (time.perf_counter() - began)


async def put_in_the_air(
    connection: asyncpg.Connection, model: str, upstream: list[str], due_seconds: float, polled: int = 0
) -> None:
    """Jobs that were accepted just now, with their next poll so much later."""
    now = clock.now()
    jobs = [ids.new(ids.Prefix.JOB) for _ in upstream]
    attempts = [ids.new(ids.Prefix.ATTEMPT) for _ in upstream]
    due = now + timedelta(seconds=due_seconds)
    deadline = now + timedelta(hours=5)
    await connection.execute(FILL, jobs, attempts, upstream, model, now, deadline, due, polled, timeout=120)


async def ours(connection: asyncpg.Connection, number: int, jobs: int) -> float:
    """Polls a second from the moment all are due until each was polled once more. Then none is due for an hour."""
    await connection.execute(ACCEPTED_NOW, MODEL, timeout=120)
    await connection.execute(DUE, clock.now(), MODEL, timeout=120)
    # As whoever makes something due does: of what falls due by itself the relay knows when.
    await connection.execute(f"NOTIFY {hints.CHANNEL}")
    began = time.perf_counter()
    wanted = POLLED_BEFORE + number
    while await connection.fetchval(POLLED, wanted, MODEL) < jobs:  # noqa: ASYNC110 - what counts is what is written
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    await connection.execute(DUE, clock.now() + timedelta(hours=1), MODEL, timeout=120)
    return jobs / took


async def lateness(connection: asyncpg.Connection) -> list[float]:
    """How long after their end, less the pause between polls that they were in, finished ones were noticed."""
    sql = "SELECT reference, accepted_at, finished_at, poll_count FROM attempts WHERE model = 'sandbox/video-slow'"
    rows = await connection.fetch(sql)
    async with asyncio.timeout(90):
        while any(row["finished_at"] is None for row in rows):
            await asyncio.sleep(0.5)
            rows = await connection.fetch(sql)
    found = []
    for row in rows:
        late = (row["finished_at"] - row["accepted_at"]).total_seconds() - SLOW_SECONDS
        found.append(late - backoff.poll_seconds(row["poll_count"], SLOW_SECONDS, row["reference"]))
    return found


async def main(jobs: int, rounds: int) -> None:
    """Print the lines."""
    async with processes.whole() as local, aiohttp.ClientSession() as session:
        await measure(local, session, jobs, rounds)


async def measure(local: stack.Stack, session: aiohttp.ClientSession, jobs: int, rounds: int) -> None:
    """All three, on a stack that runs."""
    url = local.env["GENQUEUE_SANDBOX_URL"]
    connection = await asyncpg.connect(hints.dsn(local.env["GENQUEUE_DATABASE_URL"]))
    upstream = await begin(session, url, "video-hang", jobs)
    await put_in_the_air(connection, MODEL, upstream, 3600.0, POLLED_BEFORE)
    yardsticks, measured = [], []
    for number in range(1, rounds + 1):
        yardsticks.append(await bare(session, url, upstream))
        measured.append(await ours(connection, number, jobs))
    worker = psutil.Process(local.pids["worker-1"])
    # What hangs is asked for all the while, as it comes due.
    await connection.execute(SPREAD, MODEL, timeout=120)
    slow = await begin(session, url, "video-slow", FINISHING)
    await put_in_the_air(connection, "sandbox/video-slow", slow, backoff.poll_seconds(0, SLOW_SECONDS, "x"))
    late = await lateness(connection)
    memory = processes.megabytes(worker)
    await connection.close()
    ratio = figures.median([one / other for other, one in zip(yardsticks, measured, strict=True)])
    middle = figures.median(yardsticks), figures.median(measured)
    against = "a bare asyncio and aiohttp loop asking the same server"
    figures.tell(figures.Line("in_the_air", ratio, *middle, TARGET, "polls/s", against))
    what = f"memory of the worker with {jobs} in the air"
    figures.tell(figures.Line("in_the_air_memory", memory / MEMORY_MB, MEMORY_MB, memory, 1, "MB", what, at_most=True))
    p95 = figures.percentile(late, 0.95)
    what = "finish noticed later than the poll's own pause, p95"
    figures.tell(figures.Line("in_the_air_noticed", p95 / LATE_SECONDS, LATE_SECONDS, p95, 1, "s", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=figures.ROUNDS)
    given = parser.parse_args()
    asyncio.run(main(given.jobs, given.rounds))
