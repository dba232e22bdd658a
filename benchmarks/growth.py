"""The same work among millions of finished jobs, with their requests, attempts, outputs, events and charges, against
the same among 10,000: accept, poll, claim, page 1 of the list, and the claim of due polls.
`python benchmarks/growth.py [--jobs 5000000]`; prints `name ratio yardstick measured target` for each, in milliseconds,
and fails if one of the hot queries reads a whole table. Five million jobs take 15 GB of disk and ten minutes.
"""

import argparse
import asyncio
import time

import asyncpg
import sqlalchemy as sa
from frame import figures, processes

from shared import clock, settings
from shared.catalog import shelf
from shared.db import engine, schema
from shared.domain import jobs, listings, requests, states, tenants
from shared.providers import registry
from shared.queues import hints
from shared.services import acceptance, claims, groups, polls
from shared.services import jobs as job_services

TARGET = 1.3
SMALL = 10_000
REPEATS = 120
TENANT = tenants.HOUSE_ID
OWNER = "prc_benchmark"
IN_THE_AIR = 2000
STEP = 20_000

FILL = """
INSERT INTO jobs (id, tenant_id, key_id, kind, status, step, model, priority, turn_at, on_doubt, created_at,
  deadline_at, due_at, ring_at, estimate_micros, cost_micros, started_at, finished_at, progress, metadata,
  served_model, sequence)
SELECT 'job_00' || lpad(n::text, 24, '0'), CASE WHEN n % 2 = 0 THEN CAST(:tenant AS text) ELSE 'ten_' || n % 97 END,
  'key_' || n % 97, 'video', 'completed', 'done', 'sandbox/video', 5, at, 'fail', at, at, at, at, 50000, 50000, at, at,
  100, jsonb_build_object('order', n::text), 'sandbox/video', 3
FROM (SELECT n, timestamptz '2026-01-01' + n * interval '1 second' AS at
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS made
"""
# What a finished job leaves in the other tables.
LEFT = (
    """
INSERT INTO requests (job_id, body, prices)
SELECT 'job_00' || lpad(n::text, 24, '0'), '{"model": "sandbox/video", "prompt": "A heron at dawn"}', '{}'
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
""",
    """
INSERT INTO attempts (id, job_id, number, model, provider, upstream_model, status, reference, upstream_id, created_at,
  sent_at, accepted_at, finished_at, cost_micros, ask_count, poll_count)
SELECT 'att_00' || lpad(n::text, 24, '0'), 'job_00' || lpad(n::text, 24, '0'), 1, 'sandbox/video', 'sandbox', 'video',
  'succeeded', 'job_00' || lpad(n::text, 24, '0') || '.1', 'up_00' || n, at, at, at, at, 50000, 1, 3
FROM (SELECT n, timestamptz '2026-01-01' + n * interval '1 second' AS at
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS made
""",
    """
INSERT INTO outputs (id, job_id, tenant_id, number, variant, key, media_type, size_bytes, sha256, created_at,
  expires_at)
SELECT 'out_00' || lpad(n::text, 24, '0'), 'job_00' || lpad(n::text, 24, '0'), CASE WHEN n % 2 = 0
  THEN CAST(:tenant AS text) ELSE 'ten_' || n % 97 END, 0, 'main', 'tenants/' || n || '/0.mp4', 'video/mp4',
  20000000, md5(n::text) || md5(n::text), at, at + interval '2 years'
FROM (SELECT n, timestamptz '2026-01-01' + n * interval '1 second' AS at
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS made
""",
    """
INSERT INTO events (id, tenant_id, subject_id, type, sequence, created_at, body)
SELECT 'evt_00' || lpad(n::text, 23, '0') || number, CASE WHEN n % 2 = 0 THEN CAST(:tenant AS text)
  ELSE 'ten_' || n % 97 END, 'job_00' || lpad(n::text, 24, '0'), 'job.completed', number,
  timestamptz '2026-01-01' + n * interval '1 second', repeat('x', 400)
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n, generate_series(1, 3) AS number
""",
    """
INSERT INTO ledger (id, tenant_id, key_id, job_id, job_kind, kind, micros, created_at, attempt_id, model, provider)
SELECT 'led_00' || lpad(n::text, 23, '0') || left(kind, 1), CASE WHEN n % 2 = 0 THEN CAST(:tenant AS text)
  ELSE 'ten_' || n % 97 END, 'key_' || n % 97, 'job_00' || lpad(n::text, 24, '0'), 'video', kind, 50000,
  timestamptz '2026-01-01' + n * interval '1 second', 'att_00' || lpad(n::text, 24, '0'), 'sandbox/video', 'sandbox'
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n, unnest(ARRAY['hold', 'charge']) AS kind
""",
)
IN_THE_AIR_SQL = """
WITH made AS (
  INSERT INTO jobs (id, tenant_id, key_id, kind, status, step, model, priority, turn_at, on_doubt, created_at,
    deadline_at, due_at, ring_at, estimate_micros, started_at, attempt_id)
  SELECT 'job_70' || lpad(n::text, 24, '0'), CAST(:tenant AS text), 'key', 'video', 'in_progress', 'poll',
    'sandbox/video', 5, now(), 'fail', now(), now() + interval '1 day', now(), now(), 0, now(), 'att_' || n
  FROM generate_series(1, CAST(:count AS bigint)) AS n
)
INSERT INTO attempts (id, job_id, number, model, provider, upstream_model, status, reference, upstream_id, created_at)
SELECT 'att_' || n, 'job_70' || lpad(n::text, 24, '0'), 1, 'sandbox/video', 'sandbox', 'video', 'accepted', 'ref_' || n,
  'up_' || n, now() FROM generate_series(1, CAST(:count AS bigint)) AS n
"""
# What the hot path asks, as literally as EXPLAIN needs it.
HOT = {
    "due polls": "SELECT id FROM jobs WHERE step = 'poll' AND lease_owner IS NULL AND due_at <= now() LIMIT 500",
    "list": "SELECT id FROM jobs WHERE tenant_id = 'ten_5' ORDER BY id DESC LIMIT 21",
    "overdue": "SELECT id FROM jobs WHERE status IN ('queued', 'in_progress') AND deadline_at <= now()",
    "queued": "SELECT min(created_at) FROM jobs WHERE status = 'queued'",
}


class World:
    """A database, and the services on it."""

    def __init__(self, db: engine.Database) -> None:
        self.db = db
        self.catalog = shelf.Shelf(settings.SHIPPED_CATALOG, registry.ABILITIES).current
        self.rules = acceptance.Rules(3600, together=groups.Groups(db))
        self.made: list[jobs.Job] = []

    async def accept(self) -> None:
        """One job."""
        new = acceptance.NewRequest(
            acceptance.Sender(TENANT, tenants.ADMIN_KEY_ID),
            states.Kind.VIDEO,
            requests.VideoRequest(model="sandbox/video", prompt="A heron"),
            self.rules,
        )
        usable = registry.usable(self.catalog, frozenset())
        self.made.append((await acceptance.accept(self.db, self.catalog, usable, new, clock.now())).job)

    async def poll(self) -> None:
        """The status of one."""
        await job_services.get(self.db, TENANT, self.made[-1].id)

    async def claim(self) -> None:
        """One doorbell answered."""
        assert await claims.claim(self.db, self.made.pop().id, OWNER, clock.now())

    async def list_page(self) -> None:
        """Page 1, of a tenant whose jobs are few and old: newer ones of others lie above them."""
        page = await job_services.list_page(self.db, "ten_5", listings.JobFilter(), None, 20)
        assert len(page.listed) == 20

    async def due_polls(self) -> None:
        """One batch of due polls, taken and due again at once."""
        assert len(await polls.take(self.db, clock.now(), 50, lambda _: 0.0)) == 50

    async def run(self, sql: str, **values: object) -> None:
        """A statement that may take long, with those of the values that it names."""
        named = {name: value for name, value in values.items() if f":{name}" in sql}
        async with self.db.transaction() as connection:
            await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            await connection.execute(sa.text(sql), named)

    async def gigabytes(self) -> float:
        """What the whole database takes, with its indexes."""
        async with self.db.transaction() as connection:
            size = await connection.execute(sa.text("SELECT pg_database_size(current_database())"))
            return float(size.scalar_one()) / 2**30


async def measured(small: World, large: World) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds of each work in the small and in the large one, in turns."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for name in ("accept", "poll", "claim", "list_page", "due_polls"):
        times = found[name] = ([], [])
        for _ in range(REPEATS):
            for place, world in enumerate((small, large)):
                began = time.perf_counter()
                await getattr(world, name)()
                times[place].append((time.perf_counter() - began) * 1000)
    return found


async def check_plans(world: World) -> None:
    """Raise AssertionError for a hot query that reads the whole table."""
    async with world.db.transaction() as connection:
        for name, query in HOT.items():
            plan = [row[0] for row in await connection.execute(sa.text(f"EXPLAIN {query}"))]
            assert not any("Seq Scan on jobs" in line for line in plan), (name, plan)


async def filled(url: str, count: int) -> World:
    """A database with so many finished jobs, and some that are in the air."""
    await schema.upgrade(url)
    world = World(engine.Database(url, 5, "growth"))
    for first in range(1, count + 1, STEP):
        for statement in (FILL, *LEFT):
            await world.run(statement, tenant=TENANT, first=first, last=min(first + STEP - 1, count))
    await world.run(IN_THE_AIR_SQL, tenant=TENANT, count=IN_THE_AIR)
    await world.run("ANALYZE")
    return world


async def beside(url: str) -> str:
    """The URL of a second database on the same server."""
    connection = await asyncpg.connect(hints.dsn(url))
    await connection.execute("CREATE DATABASE grown")
    await connection.close()
    return f"{url.rpartition('/')[0]}/grown"


async def main(count: int) -> None:
    """Print the lines."""
    async with processes.servers() as made:
        url = made.env["GENQUEUE_DATABASE_URL"]
        small, large = await filled(url, SMALL), await filled(await beside(url), count)
        await check_plans(large)
        found = await measured(small, large)
        notes = {"gigabytes": await large.gigabytes()}
        for world in (small, large):
            await world.db.close()
    for name, times in found.items():
        what = f"the same with {SMALL:,} finished jobs instead of {count:,}"
        before, after = (figures.median(each) for each in times)
        line = figures.Line(
            f"growth_{name}", after / before, before, after, TARGET, "ms", what, at_most=True, notes=notes
        )
        figures.tell(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=5_000_000)
    asyncio.run(main(parser.parse_args().jobs))
