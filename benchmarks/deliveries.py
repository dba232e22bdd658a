"""Deliveries a second against a bare aiohttp loop posting the same signed-size bodies, and what dead receivers cost.

`python benchmarks/deliveries.py [--events 10000] [--receivers 50] [--dead 5]`
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import sqlalchemy as sa
import uvloop
from aiohttp import web
from frame import figures

from cli.stack import stack
from shared import clock, collector, ids
from shared.db import engine, schema
from shared.db.tables import deliveries as delivery_tables
from shared.db.tables import events as event_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import events, receivers
from shared.outbound import addresses, posts, targets
from shared.services import signing
from shared.webhooks import sealing
from workers import courier

BODY = events.body(events.EventType.JOB_COMPLETED, clock.now(), {"id": "job", "filling": "x" * 900})
UNUSED = {"GENQUEUE_S3_ENDPOINT_URL": "http://unused", "GENQUEUE_S3_BUCKET": "unused"}
AT_ONCE = 450
TARGET, MOST_TIMES = 0.3, 2.0


@dataclass(frozen=True)
class Size:
    """How much to deliver, to how many, of whom so many never answer."""

    events: int
    receivers: int
    dead: int


async def serve() -> None:
    """The receivers, in a process of their own: /dead/… never answers. Prints its port, and ends with its input."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        if request.path.startswith("/dead"):
            await asyncio.Event().wait()
        return web.Response(body=b"ok")

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The base URL of the receivers."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def bare(base_url: str, size: Size) -> float:
    """Seconds a plain aiohttp client takes to post the same bodies."""
    queue = iter(range(size.events))
    headers = {"content-type": "application/json", "webhook-signature": "v1," + "x" * 132}

    async def post_some(session: aiohttp.ClientSession) -> None:
        for number in queue:
            async with session.post(f"{base_url}/{number % size.receivers}", data=BODY, headers=headers) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(post_some(session) for _ in range(AT_ONCE)))
        return time.perf_counter() - began


async def ours(db: engine.Database, base_url: str, size: Size) -> float:
    """Seconds until everything is delivered to the receivers that answer."""
    await fill(db, base_url, size)
    loopback = addresses.parse_networks(["127.0.0.0/8"])
    guard = targets.Guard(loopback, loopback, allow_http=True, ports=frozenset())
    keyring = signing.Keyring(sealing.Sealer("a key"))
    rules = courier.Rules((5.0, 300.0), receivers.Limits())
    made = courier.Courier(db, keyring, posts.Poster(guard), ids.new(ids.Prefix.PROCESS), rules)
    made.start()
    began = time.perf_counter()
    made.wake()
    alive = size.events * (size.receivers - size.dead) // size.receivers
    while await delivered(db) < alive:  # noqa: ASYNC110 - what counts is what is written down
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    await made.close()
    return seconds


async def fill(db: engine.Database, base_url: str, size: Size) -> None:
    """Receivers and due deliveries, as if the events had just happened; a tenant has one receiver here."""
    now = clock.now()
    made = [ids.new(ids.Prefix.RECEIVER) for _ in range(size.receivers)]
    urls = [f"{base_url}/{'dead' if n < size.dead else 'well'}/{n}" for n in range(size.receivers)]
    wanting = [
        {"id": one, "tenant_id": one, "url": url, "created_at": now} for one, url in zip(made, urls, strict=True)
    ]
    happened = [ids.new(ids.Prefix.EVENT) for _ in range(size.events)]
    common = {"type": "job.completed", "sequence": 1, "created_at": now, "body": BODY}
    facts = [
        {"id": one, "subject_id": one, "tenant_id": made[n % len(made)]} | common for n, one in enumerate(happened)
    ]
    waiting = {"status": "pending", "trigger": "automatic", "created_at": now, "due_at": now}
    due = [
        {"id": ids.new(ids.Prefix.DELIVERY), "event_id": one, "receiver_id": made[n % len(made)]}
        | {"tenant_id": made[n % len(made)]}
        | waiting
        for n, one in enumerate(happened)
    ]
    async with db.transaction() as connection:
        await connection.execute(sa.text("TRUNCATE events, receivers, deliveries, tries, signing_keys CASCADE"))
        await connection.execute(sa.insert(receiver_tables.receivers), wanting)
        await connection.execute(sa.insert(event_tables.events), facts)
        await connection.execute(sa.insert(delivery_tables.deliveries), due)
        await connection.execute(sa.text("ANALYZE"))


async def delivered(db: engine.Database) -> int:
    """How many are written down as delivered."""
    async with db.transaction() as connection:
        found = await connection.execute(sa.text("SELECT count(*) FROM deliveries WHERE status = 'delivered'"))
        return int(found.scalar_one())


async def measure(size: Size) -> None:
    """Print the two ratios, each of the middle one of five rounds in turns."""
    with tempfile.TemporaryDirectory() as folder:
        servers = stack.Stack(
            data_dir=Path(folder) / "data", servers_only=True, usual_ports=False, temporary=True, environ=UNUSED
        )
        async with servers, served() as base_url:
            url = servers.env["GENQUEUE_DATABASE_URL"]
            await schema.upgrade(url)
            db = engine.Database(url, 10, "bench")
            healthy = Size(size.events * (size.receivers - size.dead) // size.receivers, size.receivers - size.dead, 0)
            collector.spare()  # as workers do
            runs = await figures.in_turns(
                lambda: bare(base_url, healthy), lambda: ours(db, base_url, healthy), lambda: ours(db, base_url, size)
            )
            plain, alone, among = map(figures.median, runs)
            await db.close()
    rates, against = (healthy.events / plain, healthy.events / alone), "a bare aiohttp loop posting the same bodies"
    figures.tell(figures.Line("deliveries", plain / alone, *rates, TARGET, "posts/s", against))
    what = f"until the others have theirs, with {size.dead} of {size.receivers} receivers dead"
    figures.tell(
        figures.Line("deliveries_among_dead", among / alone, alone, among, MOST_TIMES, "s", what, at_most=True)
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--receivers", type=int, default=50)
    parser.add_argument("--dead", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    # The loop that workers run on.
    uvloop.run(serve() if given.serve else measure(Size(given.events, given.receivers, given.dead)))


if __name__ == "__main__":
    main()
