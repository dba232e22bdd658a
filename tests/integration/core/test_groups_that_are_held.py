"""Somebody holds the row of one job for long, or Postgres is in the way: the others of its group go on meanwhile."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import engine
from shared.db import ledger as ledger_rows
from shared.domain import outputs, states
from shared.services import acceptance, asks, attempts, claims, completion, jointly
from tests.integration.core import test_groups_of_steps as steps
from tests.integration.tenants import money

HOLD = "SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"
DEADLINE_SECONDS = 30
HELD = 3
by = steps.by


async def while_held(
    database: engine.Database, job_id: str, wanted: Sequence[Coroutine[Any, Any, Any]], later: Coroutine[Any, Any, Any]
) -> list[Any]:
    """What the steps answer, one of which is about a job that is held until all others are done, also the one that
    comes `later`.
    """
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with database.transaction() as connection:
            await connection.execute(sa.text(HOLD), {"id": job_id})
            tasks = [asyncio.create_task(step) for step in wanted]
            await asyncio.gather(*tasks[:HELD], *tasks[HELD + 1 :])
            await later
            assert not tasks[HELD].done()
        return await asyncio.gather(*tasks)


async def another(database: engine.Database, by: acceptance.Sender) -> claims.Claim | None:
    job = await money.submit(database, by)
    return await claims.claim(database, job.id, steps.OWNER, clock.now())


async def test_claiming(database: engine.Database, by: acceptance.Sender) -> None:
    made = [await money.submit(database, by) for _ in range(steps.JOBS)]
    wanted = [claims.claim(database, job.id, steps.OWNER, clock.now()) for job in made]
    found = await while_held(database, made[HELD].id, wanted, another(database, by))
    assert [claim.job.id for claim in found] == [job.id for job in made]


async def test_asking(database: engine.Database, by: acceptance.Sender) -> None:
    held = await steps.claimed(database, by)
    beginning = [asks.begin(database, claim.job, steps.candidate(claim), 0, 1, clock.now()) for claim in held]
    begun = await while_held(database, held[HELD].job.id, beginning, another(database, by))
    pairs = list(zip(held, begun, strict=True))
    sending = [asks.mark_sent(database, claim.job, attempt, clock.now()) for claim, attempt in pairs]
    sent = await while_held(database, held[HELD].job.id, sending, another(database, by))
    wins = [attempts.Win(attempt, (outputs.Source(url="http://x/0.png"),)) for attempt in sent]
    keeping = [asks.delivered(database, claim.job, win, clock.now()) for claim, win in zip(held, wins, strict=True)]
    kept = await while_held(database, held[HELD].job.id, keeping, another(database, by))
    assert {attempt.status for _, attempt in kept} == {states.AttemptStatus.SUCCEEDED}
    for claim in held:
        assert await steps.told(database, claim.job) == ["job.queued", "job.started"]


async def test_ending(database: engine.Database, by: acceptance.Sender) -> None:
    kept = await steps.delivered(database, by)
    done = [
        completion.complete(database, claim.job, attempt, [steps.output(claim)], 40_000, clock.now())
        for claim, attempt in kept
    ]
    ended = await while_held(database, kept[HELD][0].job.id, done, another(database, by))
    assert {job.status for job in ended} == {states.JobStatus.COMPLETED}
    for claim, _ in kept:
        assert (await steps.told(database, claim.job)).count("job.completed") == 1
    async with database.transaction() as connection:
        assert await ledger_rows.imbalances(connection) == []


async def test_who_is_held_for_too_long_is_told(
    database: engine.Database, by: acceptance.Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jointly, "PATIENCE_SECONDS", 0)
    job = await money.submit(database, by)
    async with database.transaction() as connection:
        await connection.execute(sa.text(HOLD), {"id": job.id})
        with pytest.raises(asyncpg.LockNotAvailableError):
            await claims.claim(database, job.id, steps.OWNER, clock.now())
    assert await claims.claim(database, job.id, steps.OWNER, clock.now()) is not None
