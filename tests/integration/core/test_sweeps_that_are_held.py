"""Somebody holds the row of one job for long: whoever looks after many leaves it for the next time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa

from shared import clock
from shared.db import engine
from shared.domain import states
from shared.services import acceptance, claims, due
from tests.integration.core import test_groups_of_steps as steps
from tests.integration.core import test_groups_that_are_held as groups
from tests.integration.tenants import money

by = steps.by


@asynccontextmanager
async def held(database: engine.Database, job_id: str) -> AsyncIterator[None]:
    async with database.transaction() as connection:
        await connection.execute(sa.text(groups.HOLD), {"id": job_id})
        yield


async def test_what_dead_processes_held(database: engine.Database, by: acceptance.Sender) -> None:
    first, *others = [claim.job.id for claim in await steps.claimed(database, by)]
    async with held(database, first):
        assert set(await claims.rescue(database)) == set(others)
    assert await claims.rescue(database) == [first]


async def test_what_this_process_dropped(database: engine.Database, by: acceptance.Sender) -> None:
    fences = {claim.job.id: claim.job.fence for claim in await steps.claimed(database, by)}
    first, second = list(fences)[:2]
    async with held(database, first):
        await claims.drop(database, steps.OWNER, fences | {second: fences[second] - 1}, clock.now())
    assert (await claims.held(database, steps.OWNER)).keys() == {first, second}
    await claims.drop(database, steps.OWNER, fences, clock.now())
    assert await claims.held(database, steps.OWNER) == {}


async def test_what_is_past_its_deadline(database: engine.Database, by: acceptance.Sender) -> None:
    taken = await steps.claimed(database, by)
    for claim in taken:
        await claims.release(database, claim.job, states.Step.POLL, clock.now() + timedelta(days=30))
    later = clock.now() + timedelta(days=20)
    async with held(database, taken[0].job.id):
        assert set(await due.wake_overdue(database, later, 3600)) == {claim.job.id for claim in taken[1:]}
    assert await due.wake_overdue(database, later, 3600) == [taken[0].job.id]


async def test_whose_doorbells_were_not_taken(database: engine.Database, by: acceptance.Sender) -> None:
    async def rung(after_seconds: int) -> set[str]:
        now = clock.now() + timedelta(seconds=after_seconds)
        return set((await due.take(database, now, 100, 100)).job_ids)

    made = [(await money.submit(database, by)).id for _ in range(steps.JOBS)]
    assert await rung(0) == set(made)
    async with held(database, made[0]):
        await due.not_rung(database, made, clock.now())
    assert await rung(2) == set(made[1:])
    assert await rung(30) == set(made)
