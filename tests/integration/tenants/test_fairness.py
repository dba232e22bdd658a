"""Fair share, measured: how many jobs are rung for before a newcomer's first one, and in which proportion."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import claims, engine, turns
from shared.domain import states
from shared.domain import turns as domain_turns
from shared.services import acceptance, due
from tests.integration.tenants import money

MANY = 100_000
THREADS = 64
WINDOW = due.SMALLEST_WINDOW  # no worker lives in these tests

_COPIES = """
INSERT INTO jobs (id, tenant_id, key_id, kind, status, step, model, priority, turn_at, on_doubt, created_at,
                  deadline_at, due_at, ring_at, estimate_micros)
SELECT 'job_' || lpad(n::text, 26, '0'), :tenant_id, :key_id, 'image', 'queued', 'submit', 'sandbox/image', 5,
       now() - interval '1 hour' + n * interval '1 millisecond', 'retry', now(), now() + interval '1 day', now(),
       now(), 0
FROM generate_series(1, :many) AS n
"""


async def flood(database: engine.Database, by: acceptance.Sender, many: int = MANY) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text(_COPIES), {"tenant_id": by.tenant_id, "key_id": by.key_id, "many": many})
        await connection.execute(sa.text("ANALYZE jobs"))


async def take(database: engine.Database, seconds: float = 0) -> tuple[str, ...]:
    now = clock.now() + timedelta(seconds=seconds)
    return (await due.take(database, now, 500, THREADS)).job_ids


async def claim(database: engine.Database, job_ids: tuple[str, ...]) -> None:
    """Workers take what was rung for."""
    async with database.transaction() as connection:
        wanted = [claims.Wanted(job_id, "prc_test", clock.now()) for job_id in job_ids]
        assert (await claims.claim(connection, wanted)).keys() == set(job_ids)


async def test_a_hundred_thousand_jobs_of_one_do_not_delay_the_first_of_another(database: engine.Database) -> None:
    hog = await money.sender(database, await money.tenant(database))
    await flood(database, hog)
    rung = await take(database)
    assert len(rung) == WINDOW
    assert await take(database) == ()  # the line is full: nobody is rung for until workers take some
    newcomer = await money.sender(database, await money.tenant(database))
    first, second = await money.submit(database, newcomer), await money.submit(database, newcomer)
    await claim(database, rung[:3])
    assert (await take(database))[:2] == (first.id, second.id)


async def test_the_turns_are_dealt_from_indexes(database: engine.Database) -> None:
    hog = await money.sender(database, await money.tenant(database))
    # Another key of the same tenant: its few jobs must not be looked for among those many.
    other = await money.sender(database, hog.tenant_id)
    mine = [(await money.submit(database, other)).id for _ in range(3)]
    await flood(database, hog)
    values = {"slots": WINDOW, "now": clock.now(), "again_at": clock.now()}
    async with database.transaction() as connection:
        question = f"EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) {turns.DEAL}"
        explained = await connection.execute(sa.text(question), values)
        plan = "\n".join(explained.scalars())
    assert "Seq Scan on jobs" not in plan, plan
    # Nothing in it ever looked at a good part of the queue.
    looked_at = [
        int(float(line.split("rows=")[2].split()[0]))
        for line in plan.splitlines()
        if line.count("rows=") == 2 and " on jobs" in line
    ]
    assert max(looked_at) <= WINDOW, plan
    assert "Rows Removed by Filter" not in plan, plan
    assert mine


async def shares(database: engine.Database, weights: tuple[int, ...], rounds: int) -> list[int]:
    """How many jobs each tenant got, with a queue that never ends for all."""
    senders = [await money.sender(database, await money.tenant(database, weight)) for weight in weights]
    for sender in senders:
        for _ in range(rounds):
            await money.submit(database, sender)
    got: Counter[str] = Counter()
    waiting: tuple[str, ...] = ()
    while sum(got.values()) < rounds:
        waiting += await take(database)
        taken, waiting = waiting[:5], waiting[5:]
        await claim(database, taken)
        got.update([await tenant_of(database, job_id) for job_id in taken])
    return [got[sender.tenant_id] for sender in senders]


async def tenant_of(database: engine.Database, job_id: str) -> str:
    async with database.transaction() as connection:
        found = await connection.execute(sa.text("SELECT tenant_id FROM jobs WHERE id = :id"), {"id": job_id})
        return str(found.scalar_one())


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (2, 1, 1)])
async def test_tenants_get_their_share_by_weight(database: engine.Database, weights: tuple[int, ...]) -> None:
    rounds = 80
    got = await shares(database, weights, rounds)
    fair = [sum(got) * weight / sum(weights) for weight in weights]
    assert all(abs(had - should) <= WINDOW / 2 for had, should in zip(got, fair, strict=True)), (got, fair)


async def test_within_a_tenant_priority_goes_first_and_age_catches_up(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    made: dict[int, list[str]] = {}
    for priority in (5, 0, 9, 5):
        job = await money.submit(database, by, money.IMAGE.model_copy(update={"priority": priority}))
        made.setdefault(priority, []).append(job.id)
    old = made[0][0]
    long_ago = clock.now() - 10 * domain_turns.STEP
    async with database.transaction() as connection:
        values = {"turn": domain_turns.turn_at(long_ago, 0), "id": old}
        await connection.execute(sa.text("UPDATE jobs SET turn_at = :turn WHERE id = :id"), values)
    assert await take(database) == (old, *made[9], *made[5])


async def test_a_model_without_room_holds_up_nobody_and_nothing_else(database: engine.Database) -> None:
    hog = await money.sender(database, await money.tenant(database))
    await flood(database, hog, 500)
    other = await money.submit(database, hog, money.IMAGE.model_copy(update={"model": "sandbox/image-slow"}))
    tried: set[str] = set()
    soon = clock.now() + timedelta(seconds=30)
    for _ in range(20):
        rung = await take(database)
        for job_id in set(rung) - {other.id}:
            async with database.transaction() as connection:
                taken = await claims.claim(connection, [claims.Wanted(job_id, "prc_test", clock.now())])
                await claims.release(connection, taken[job_id].job, states.Step.SUBMIT, soon)
        tried |= set(rung)
    # Some of those without room are parked, the other 470 are not even looked at; the other model's job is rung for.
    assert len(tried) == turns.MOST_PARKED + 1
    assert other.id in tried
    assert set(await take(database, 31)) == tried


async def test_a_lost_doorbell_is_rung_again_and_again(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    jobs = {(await money.submit(database, by)).id for _ in range(5)}
    assert set(await take(database)) == jobs
    assert await take(database, 4) == ()
    assert set(await take(database, 6)) == jobs
    assert await take(database, 10) == ()
    assert set(await take(database, 17)) == jobs


async def test_a_doorbell_the_broker_did_not_take_does_not_count(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    job = await money.submit(database, by)
    for outage in range(0, 600, 60):
        assert await take(database, outage) == (job.id,)
        await due.not_rung(database, [job.id], clock.now() + timedelta(seconds=outage))
    assert await take(database, 602) == (job.id,)


async def test_two_relays_deal_no_job_twice_and_no_more_than_the_window(database: engine.Database) -> None:
    await flood(database, await money.sender(database, await money.tenant(database)), 500)
    dealt = await asyncio.gather(*(take(database) for _ in range(6)))
    rung = [job_id for part in dealt for job_id in part]
    assert len(rung) == len(set(rung)) == WINDOW


async def test_a_waiting_job_past_its_deadline_is_rung_for_out_of_turn(database: engine.Database) -> None:
    hog = await money.sender(database, await money.tenant(database))
    await flood(database, hog, 200)
    late = await money.submit(database, hog, money.IMAGE.model_copy(update={"deadline_seconds": 1, "priority": 0}))
    assert late.id not in await take(database)
    later = clock.now() + timedelta(seconds=2)
    assert await due.wake_overdue(database, later, 3600) == [late.id]
    assert late.id in await take(database, 2)
