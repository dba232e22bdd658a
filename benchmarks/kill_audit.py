"""Kill audit: naive Celery and genqueue under the same number of kill -9 in the middle of paid submits.

The provider's own record is the judge. `python benchmarks/kill_audit.py [--kills 25] [--jobs 1500]`
"""

import asyncio
import collections
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import celery
import httpx
import typer
from rich import console, table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.chaos import customer, history, load, proxy, rig  # noqa: E402 - the path comes first

THREADS = 10
# On each way, so that a kill meets asks that the provider has taken and not yet answered.
LATENCY_SECONDS = 0.15
# So many asks reach the provider between two kills: the worker is hard at work when it is struck.
ASKS_BETWEEN = (10, 40)
IDLE_SECONDS = 120.0
# Without any job ending for so long, the rest is stuck.
SETTLE_SECONDS = 90.0

Deed = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """What one system made of the kills."""

    system: str
    jobs: int
    kills: int
    never_run: int
    billed_twice: int
    stuck: int
    in_doubt: int


async def _kill_often(on: rig.Rig, kills: int, kill: Deed) -> int:
    """The same strokes for every system; answers how many were dealt before the work ran out."""
    dice = random.Random("kill-audit")  # noqa: S311 - a benchmark's dice
    async with httpx.AsyncClient(base_url=on.running.env["GENQUEUE_SANDBOX_URL"], timeout=30, trust_env=False) as http:
        for dealt in range(kills):
            wanted = await _asks(http) + dice.randint(*ASKS_BETWEEN)
            until = time.monotonic() + IDLE_SECONDS
            while await _asks(http) < wanted:
                if time.monotonic() > until:
                    return dealt
                await proxy.pause(0.05)
            await kill()
    return kills


async def _asks(http: httpx.AsyncClient) -> int:
    return int((await http.get("/record/summary")).json()["asks"])


class Naive:
    """One worker of the naive app, its table and its queue. It is started again right after each kill."""

    def __init__(self, on: rig.Rig, folder: Path) -> None:
        self._database = folder / "naive.sqlite3"
        self._log = folder / "naive.log"
        self._broker = on.running.env["GENQUEUE_REDIS_URL"]
        self._env = {
            **os.environ,
            "GENQUEUE_REDIS_URL": self._broker,
            "NAIVE_DATABASE": str(self._database),
            "GENQUEUE_SANDBOX_URL": f"http://{proxy.HOST}:{on.lines['provider'].port}",
        }
        self._worker = self._start()

    def submit(self, job_ids: list[str]) -> None:
        """Every job into the table, then into the queue."""
        with self._open() as opened:
            opened.execute("pragma journal_mode = wal")
            opened.execute("create table jobs (id text primary key, state text not null)")
            opened.executemany("insert into jobs values (?, 'queued')", [(job_id,) for job_id in job_ids])
        producer = celery.Celery("naive", broker=self._broker)
        for job_id in job_ids:
            producer.send_task("naive.generate", args=[job_id], queue="naive")
        producer.close()

    def done(self) -> set[str]:
        """The jobs that were finished, as the table has it."""
        with self._open() as opened:
            return {job_id for (job_id,) in opened.execute("select id from jobs where state = 'done'")}

    async def kill(self) -> None:
        """Kill -9, and start again at once."""
        self.stop()
        self._worker = self._start()

    def stop(self) -> None:
        """Kill -9."""
        self._worker.kill()
        self._worker.wait()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=30)

    def _start(self) -> subprocess.Popen[bytes]:
        argv = ["-m", "celery", "--app", "benchmarks.naive.tasks", "worker", "--pool", "threads"]
        options = ["--concurrency", str(THREADS), "--queues", "naive", "--loglevel", "WARNING"]
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, *argv, *options], cwd=ROOT, env=self._env, stdout=log, stderr=log
            )


async def audit_naive(on: rig.Rig, folder: Path, jobs: int, kills: int) -> Row:
    """The plain way under kills."""
    job_ids = [f"naive{number}" for number in range(jobs)]
    naive = Naive(on, folder)
    try:
        await asyncio.to_thread(naive.submit, job_ids)
        dealt = await _kill_often(on, kills, naive.kill)
        await _until_nothing_moves(naive, jobs)
    finally:
        naive.stop()
    bought = await _bought(on, "naive")
    return Row(
        system="naive Celery (acks late, state checked in the task)",
        jobs=jobs,
        kills=dealt,
        never_run=sum(1 for job_id in job_ids if not bought[job_id]),
        billed_twice=sum(1 for job_id in job_ids if bought[job_id] > 1),
        stuck=sum(1 for job_id in set(job_ids) - naive.done() if bought[job_id]),
        in_doubt=0,
    )


async def _until_nothing_moves(naive: Naive, jobs: int) -> None:
    """Everything is done, or nothing was for SETTLE_SECONDS."""
    done, until = len(naive.done()), time.monotonic() + SETTLE_SECONDS
    while done < jobs and time.monotonic() < until:
        await proxy.pause(1)
        before, done = done, len(naive.done())
        if done > before:
            until = time.monotonic() + SETTLE_SECONDS


async def audit_genqueue(on: rig.Rig, model: str, title: str, jobs: int, kills: int) -> Row:
    """The same kills for genqueue's worker, the same provider at the same distance."""
    body: load.Json = {"model": model, "prompt": "kill audit", "max_tokens": 20, "on_doubt": "fail"}
    orders = [load.Order(number, 0.0, "text", body, f"{model}-{number}") for number in range(jobs)]
    buyer = customer.Customer(on.running.base_url, on.running.admin_key, customer.Book())

    async def kill() -> None:
        await on.running.kill("worker-1")
        await on.running.restart("worker-1")

    async with buyer.watching():
        # Kills begin when the backlog does not fit into one worker's hands any more.
        buying = asyncio.create_task(buyer.buy(orders))
        dealt = await _kill_often(on, kills, kill)
        await buying
    await buyer.settle(SETTLE_SECONDS)
    await buyer.last_look()
    await buyer.close()
    return await _row(on, buyer.book, f"genqueue ({title})", jobs, dealt)


async def _row(on: rig.Rig, book: customer.Book, system: str, jobs: int, kills: int) -> Row:
    bought = await _bought(on, "job_")
    views = book.last.values()
    return Row(
        system=system,
        jobs=jobs,
        kills=kills,
        never_run=sum(1 for job in views if not bought[job["id"]] and not job["in_doubt"]),
        billed_twice=sum(1 for job in views if bought[job["id"]] > 1),
        stuck=jobs - sum(1 for job in views if job["status"] in customer.TERMINAL),
        in_doubt=sum(1 for job in views if job["in_doubt"]),
    )


async def _bought(on: rig.Rig, prefix: str) -> collections.Counter[str]:
    """How often each job was accepted and charged, by the provider's own record."""
    asks = await history.record(on.running.env["GENQUEUE_SANDBOX_URL"])
    return collections.Counter(ask.job_id for ask in asks if ask.bought and ask.job_id.startswith(prefix))


async def _audit(jobs: int, kills: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="genqueue-audit-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = {"GENQUEUE_WORKER_THREADS": str(THREADS)}
        async with rig.Rig(folder=folder, seed=0, workers=1, settings=settings) as on:
            on.lines["provider"].poison(proxy.Toxic(proxy.Toxin.LATENCY, LATENCY_SECONDS))
            return [
                await audit_naive(on, folder, jobs, kills),
                await audit_genqueue(on, "sandbox/text-plain", "a provider that helps in no way", jobs, kills),
                await audit_genqueue(on, "sandbox/text", "a provider that takes our key", jobs, kills),
            ]


def main(
    kills: Annotated[int, typer.Option(help="How often each system's worker is killed.")] = 25,
    jobs: Annotated[int, typer.Option(help="How many paid jobs each gets.")] = 1500,
) -> None:
    """Exit 1 if genqueue lost, doubled or left a job."""
    rows = asyncio.run(_audit(jobs, kills))
    shown = table.Table("system", "jobs", "kill -9", "never run", "billed twice", "stuck", "held in doubt")
    for row in rows:
        counts = (row.jobs, row.kills, row.never_run, row.billed_twice, row.stuck, row.in_doubt)
        shown.add_row(row.system, *map(str, counts))
    console.Console(width=140).print(shown)
    failed = any(row.never_run + row.billed_twice + row.stuck for row in rows[1:])
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
