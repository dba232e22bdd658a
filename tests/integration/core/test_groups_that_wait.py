"""A group that waits for the lock on one of its rows: what that row has become meanwhile is what counts."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import engine
from shared.db import events as event_rows
from shared.db import ledger as ledger_rows
from shared.domain import outputs, states
from shared.services import acceptance, asks, attempts, claims, completion
from tests.integration.core import test_groups_of_steps as steps
from tests.integration.tenants import money

WAIT_SECONDS = 20
CHANGED = "UPDATE jobs SET cancel_requested_at = now() WHERE id = :id"
LOST = "UPDATE jobs SET lease_owner = 'prc_other', fence = fence + 1 WHERE id = :id"
by = steps.by
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def _until_one_waits(database: engine.Database) -> None:
    async with asyncio.timeout(WAIT_SECONDS), database.reading() as connection:
        while not (await connection.execute(sa.text(_WAITING))).scalar_one():
            pass


async def meanwhile(
    database: engine.Database, job_id: str, change: str, wanted: Sequence[Coroutine[Any, Any, Any]]
) -> list[Any]:
    """What the steps answer while this job's row is changed, and committed when they wait for it."""
    async with database.transaction() as connection:
        await connection.execute(sa.text(change), {"id": job_id})
        tasks = [asyncio.create_task(step) for step in wanted]
        await _until_one_waits(database)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("change", "is_ours"), [(CHANGED, True), (LOST, False)])
async def test_claiming(database: engine.Database, by: acceptance.Sender, change: str, is_ours: bool) -> None:
    made = [await money.submit(database, by) for _ in range(steps.JOBS)]
    wanted = [claims.claim(database, job.id, steps.OWNER, clock.now()) for job in made]
    found = await meanwhile(database, made[3].id, change, wanted)
    assert [claim is not None for claim in found] == [n != 3 or is_ours for n in range(steps.JOBS)]
    assert not is_ours or found[3].job.cancel_requested_at is not None


async def test_sending_and_keeping_results(database: engine.Database, by: acceptance.Sender) -> None:
    held = await steps.claimed(database, by)
    pairs = list(zip(held, await steps.begun(database, held), strict=True))
    wanted = [asks.mark_sent(database, claim.job, attempt, clock.now()) for claim, attempt in pairs]
    sent = await meanwhile(database, held[3].job.id, CHANGED, wanted)
    for claim in held:
        assert await steps.told(database, claim.job) == ["job.queued", "job.started"]
    wins = [attempts.Win(attempt, (outputs.Source(url="http://x/0.png"),)) for attempt in sent]
    keeping = [asks.delivered(database, claim.job, win, clock.now()) for claim, win in zip(held, wins, strict=True)]
    answers = await meanwhile(database, held[3].job.id, LOST, keeping)
    assert [isinstance(one, claim_rows.LostClaimError) for one in answers] == [n == 3 for n in range(steps.JOBS)]


@pytest.mark.parametrize(("change", "is_ours"), [(CHANGED, True), (LOST, False)])
async def test_ending(database: engine.Database, by: acceptance.Sender, change: str, is_ours: bool) -> None:
    kept = await steps.delivered(database, by)
    done = [
        completion.complete(database, claim.job, attempt, [steps.output(claim)], 40_000, clock.now())
        for claim, attempt in kept
    ]
    ended = await meanwhile(database, kept[3][0].job.id, change, done)
    lost = [isinstance(one, claim_rows.LostClaimError) for one in ended]
    assert lost == [n == 3 and not is_ours for n in range(steps.JOBS)]
    for (claim, _), is_lost in zip(kept, lost, strict=True):
        assert (await steps.told(database, claim.job)).count("job.completed") == (not is_lost)
    async with database.transaction() as connection:
        assert await ledger_rows.imbalances(connection) == []


@pytest.mark.parametrize("jobs", [1, steps.JOBS])
async def test_a_commit_whose_answer_was_lost_is_not_made_twice_and_leaves_nobody_in_doubt(
    database: engine.Database, by: acceptance.Sender, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """The group is repeated one by one: each finds that it was sent at its own moment, so it was not asked yet."""
    held, append, sizes = (await steps.claimed(database, by))[:jobs], event_rows.append_all, list[int]()
    pairs = list(zip(held, await steps.begun(database, held), strict=True))

    async def append_and_lose(connection: engine.Connection, told: Sequence[event_rows.Told]) -> None:
        await append(connection, told)
        sizes.append(len(told))
        if told:
            await engine.driver(connection).execute("COMMIT")
            raise ConnectionError

    monkeypatch.setattr(event_rows, "append_all", append_and_lose)
    answers = await steps.all_of(
        [asks.mark_sent(database, claim.job, attempt, clock.now()) for claim, attempt in pairs]
    )
    assert sizes == [jobs, *[0] * jobs]
    async with database.transaction() as connection:
        written = await attempt_rows.of_jobs(connection, [claim.job.id for claim in held])
    assert [written[claim.job.id] for claim in held] == [[sent] for sent in answers]
    assert {(sent.status, sent.ask_count) for sent in answers} == {(states.AttemptStatus.SENT, 1)}
    for claim in held:
        assert await steps.told(database, claim.job) == ["job.queued", "job.started"]
    again = await steps.all_of([asks.mark_sent(database, claim.job, sent, clock.now()) for claim, sent in pairs])
    assert {type(answer) for answer in again} == {attempt_rows.StaleAttemptError}
