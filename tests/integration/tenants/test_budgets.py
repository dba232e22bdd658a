"""Budgets under fire: never a micro-dollar more is let in than there is, and never one less (promise P7)."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from shared import clock, errors
from shared.db import budgets as rows
from shared.db import engine
from shared.domain import budgets, jobs
from shared.services import acceptance, ledger
from shared.services import budgets as budget_services
from tests.integration.tenants import money

PRICE = money.price()
LETS_IN = 100
Period = budgets.Period


async def sender_with_budgets(database: engine.Database) -> acceptance.Sender:
    """Four budgets to be reserved together, of which the key's daily one is the tightest."""
    by = await money.sender(database, await money.tenant(database))
    await money.budget(database, by, LETS_IN * PRICE, Period.DAY, for_key=True)
    await money.budget(database, by, 5000 * PRICE, Period.MONTH, for_key=True)
    await money.budget(database, by, LETS_IN * PRICE + 7, Period.WEEK)
    await money.budget(database, by, 5000 * PRICE, Period.TOTAL)
    return by


async def test_a_thousand_at_once_against_a_budget_for_a_hundred(database: engine.Database) -> None:
    by = await sender_with_budgets(database)
    admitted = await money.all_at_once(database, by, 1000)
    assert len(admitted) == LETS_IN
    assert await ledger.imbalances(database) == []
    [tightest] = [b for b in await budget_services.of_key(database, by.tenant_id, by.key_id) if b.period is Period.DAY]
    assert (tightest.held_micros, tightest.spent_micros) == (LETS_IN * PRICE, 0)


async def end_one(worker: money.Worker, job: jobs.Job, luck: random.Random) -> bool:
    """End a job somehow; True if its money is free again."""
    match luck.choice(("complete", "complete", "fail", "cancel")):
        case "complete":
            assert await worker.complete(job, PRICE)
            return False
        case "fail":
            assert await worker.fail(job)
        case _:
            assert await worker.cancel(job)
    return True


async def watch(database: engine.Database, by: acceptance.Sender, over: asyncio.Event) -> int:
    """Looks at all budgets all the time; answers how often."""
    looks = 0
    while not over.is_set():
        for budget in await budget_services.of_key(database, by.tenant_id, by.key_id):
            assert budget.held_micros + budget.spent_micros <= budget.limit_micros
        looks += 1
    return looks


@pytest.mark.parametrize("seed", range(6))
async def test_with_failures_and_cancels_mixed_in(database: engine.Database, seed: int) -> None:
    luck = random.Random(seed)  # noqa: S311 - a test that can be repeated
    by, worker, over = await sender_with_budgets(database), money.Worker(database), asyncio.Event()
    watching = asyncio.create_task(watch(database, by, over))
    admitted = await money.all_at_once(database, by, 200)
    assert len(admitted) == LETS_IN
    ending = luck.sample(admitted, luck.randrange(30, 90))
    ends = [end_one(worker, job, luck) for job in ending]
    submits = [money.try_submit(database, by) for _ in range(120)]
    mixed = [*ends, *submits]
    luck.shuffle(mixed)
    results = await asyncio.gather(*mixed)
    freed = sum(result is True for result in results)
    later = sum(isinstance(result, jobs.Job) for result in results)
    later += len(await money.all_at_once(database, by, 120))
    over.set()
    assert await watching > 0
    assert later == freed
    assert await ledger.imbalances(database) == []


async def test_a_job_ended_in_two_ways_at_once_is_settled_once(database: engine.Database) -> None:
    by, worker = await sender_with_budgets(database), money.Worker(database)
    made = await money.all_at_once(database, by, 40)
    ends = [end for job in made for end in (worker.cancel(job), worker.complete(job, PRICE), worker.cancel(job))]
    await asyncio.gather(*ends, return_exceptions=True)
    assert await ledger.imbalances(database) == []


async def test_the_refusal_says_which_limit_what_is_left_and_when_it_resets(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    await money.budget(database, by, 2 * PRICE + 1, Period.DAY, for_key=True)
    await money.submit(database, by)
    await money.submit(database, by)
    with pytest.raises(errors.BudgetExceededError) as held:
        await money.submit(database, by)
    told = held.value.details or {}
    assert (told["limit_source"], told["period"], told["needed_micros"], told["left_micros"]) == (
        "key",
        "day",
        PRICE,
        1,
    )
    assert (told["held_micros"], told["spent_micros"]) == (2 * PRICE, 0)
    tomorrow = clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert datetime.fromisoformat(told["resets_at"]) == tomorrow
    # Money that jobs hold may come back soon; a budget that is spent comes back at midnight.
    assert held.value.retry_after_seconds == 10


async def test_a_job_dearer_than_the_whole_budget_is_told_not_to_come_again(database: engine.Database) -> None:
    by = await money.sender(database, await money.tenant(database))
    await money.budget(database, by, PRICE - 1, Period.DAY)
    with pytest.raises(errors.BudgetExceededError) as refused:
        await money.submit(database, by)
    assert refused.value.retry_after_seconds is None
    assert (refused.value.details or {})["limit_source"] == "tenant"


async def test_a_new_window_begins_with_nothing_spent_but_what_is_held(database: engine.Database) -> None:
    by, worker, now = await money.sender(database, await money.tenant(database)), money.Worker(database), clock.now()
    budget_id = await money.budget(database, by, 2 * PRICE, Period.DAY)
    spent, _held = await money.submit(database, by), await money.submit(database, by)
    await worker.complete(spent, PRICE)
    tomorrow = now + timedelta(days=1)
    async with database.transaction() as connection:
        budget = await rows.get(connection, None, budget_id)
        assert budget is not None
        assert await rows.reserve(connection, budget, PRICE, now) is None
        begun = await rows.reserve(connection, budget, PRICE, tomorrow)
        assert begun is not None
        assert (begun.spent_micros, begun.held_micros) == (0, 2 * PRICE)
        # A process whose clock is behind does not turn the window back.
        late = await rows.reserve(connection, budget, 0, now)
        assert late is not None
        assert late.window_at == begun.window_at
        await connection.rollback()
