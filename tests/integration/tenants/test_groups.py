"""Requests that come together are stored together; what does not fit goes alone; nothing else differs."""

import asyncio
import dataclasses
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared import clock, errors
from shared.db import engine, receivers
from shared.db.tables import deliveries as delivery_tables
from shared.db.tables import events as event_tables
from shared.db.tables import jobs as job_tables
from shared.domain import budgets, jobs, requests
from shared.outbound import downloads
from shared.services import acceptance, groups, idempotency, ledger
from shared.services import jobs as job_services
from tests.integration.tenants import money

PRICE = money.price()
MANY = 60
HOOK = "https://1.1.1.1/hook"
ORIGIN = downloads.origin(HOOK)
TOLD = requests.ImageRequest.model_validate(
    {"model": "sandbox/image", "prompt": "A heron", "webhook_url": HOOK, "webhook_events": ["job.queued"]}
)


@pytest.fixture
def rules(database: engine.Database) -> acceptance.Rules:
    return dataclasses.replace(money.RULES, together=groups.Groups(database))


async def transactions(database: engine.Database) -> int:
    """In how many transactions the first events of all jobs were written."""
    async with database.transaction() as connection:
        return (
            await connection.execute(sa.select(sa.func.count(sa.distinct(event_tables.events.c.xact))))
        ).scalar_one()


async def rows(database: engine.Database, table: sa.Table) -> list[sa.Row[tuple[object, ...]]]:
    async with database.transaction() as connection:
        return list((await connection.execute(sa.select(table).order_by(table.c.id))).all())


def plain(job: jobs.Job) -> jobs.Job:
    """Without what differs between any two jobs."""
    moment = datetime.fromtimestamp(0, UTC)
    return dataclasses.replace(job, id="", created_at=moment, deadline_at=moment, due_at=moment, turn_at=moment)


async def test_many_are_stored_in_few_transactions_and_look_as_if_alone(
    database: engine.Database, rules: acceptance.Rules
) -> None:
    by = await money.sender(database, await money.tenant(database))
    limit = await money.budget(database, by, 1000 * PRICE, budgets.Period.MONTH)
    made = await asyncio.gather(*(money.submit(database, by, rules=rules) for _ in range(MANY)))
    assert await transactions(database) <= MANY / 5
    alone = await money.submit(database, by)
    views = [await job_services.get(database, by.tenant_id, job.id, with_request=True) for job in (made[0], alone)]
    assert plain(views[0].job) == plain(views[1].job)
    assert views[0].request == views[1].request
    assert views[0].job.budget_ids == (limit,)
    histories = [await job_services.history(database, by.tenant_id, job.id) for job in (made[0], alone)]
    assert [[event.sequence for event in history] for history in histories] == [[1], [1]]
    assert len(await rows(database, job_tables.jobs)) == MANY + 1
    assert await ledger.imbalances(database) == []


async def test_a_budget_for_some_lets_in_exactly_those(database: engine.Database, rules: acceptance.Rules) -> None:
    by = await money.sender(database, await money.tenant(database))
    await money.budget(database, by, 17 * PRICE, budgets.Period.DAY, for_key=True)
    made = await asyncio.gather(*(money.try_submit(database, by, rules) for _ in range(MANY)))
    assert sum(job is not None for job in made) == 17
    assert await ledger.imbalances(database) == []


async def test_one_that_is_refused_takes_nobody_with_it(database: engine.Database, rules: acceptance.Rules) -> None:
    rich, poor = [await money.sender(database, await money.tenant(database)) for _ in range(2)]
    await money.budget(database, poor, PRICE - 1, budgets.Period.DAY)
    made = await asyncio.gather(
        *(money.try_submit(database, by, rules) for by in (rich, poor) * 10),
    )
    assert [job is not None for job in made] == [True, False] * 10


async def test_the_same_key_is_one_job_in_a_group_and_across_groups(
    database: engine.Database, rules: acceptance.Rules
) -> None:
    by, other = await money.sender(database, await money.tenant(database)), groups.Groups(database)
    both = (rules, dataclasses.replace(rules, together=other), money.RULES)
    once = idempotency.Once("order-17", "print")
    made = await asyncio.gather(*(money.submit(database, by, once=once, rules=both[n % 3]) for n in range(MANY)))
    assert len({job.id for job in made}) == 1
    assert len(await rows(database, job_tables.jobs)) == 1
    with pytest.raises(errors.IdempotencyMismatchError):
        await money.submit(database, by, once=idempotency.Once("order-17", "another"), rules=rules)


async def test_whoever_wants_the_first_event_gets_it(database: engine.Database, rules: acceptance.Rules) -> None:
    by, deaf = [await money.sender(database, await money.tenant(database)) for _ in range(2)]
    wanting = {"tenant_id": by.tenant_id, "url": "https://1.1.1.1/all", "created_at": clock.now()}
    async with database.transaction() as connection:
        registered = await receivers.insert(connection, wanting)
        implicit = await receivers.implicit(connection, by.tenant_id, ORIGIN, clock.now())
    await asyncio.gather(
        money.submit(database, by, rules=rules),
        money.submit(database, by, TOLD, rules=rules),
        money.submit(database, deaf, rules=rules),
        # The origin is new to this tenant.
        money.submit(database, deaf, TOLD, rules=rules),
    )
    due = await rows(database, delivery_tables.deliveries)
    assert sorted((row.receiver_id, row.url) for row in due if row.tenant_id == by.tenant_id) == sorted(
        [(registered.id, None), (registered.id, None), (implicit, HOOK)], key=str
    )
    assert [row.url for row in due if row.tenant_id == deaf.tenant_id] == [HOOK]


async def test_a_key_in_use_elsewhere_holds_up_only_itself(database: engine.Database, rules: acceptance.Rules) -> None:
    by, once = await money.sender(database, await money.tenant(database)), idempotency.Once("held", "print")
    async with database.transaction() as connection:
        assert await idempotency.bind_job(connection, by.tenant_id, once, "job_1", clock.now()) is None
        waiting = asyncio.create_task(money.submit(database, by, once=once, rules=rules))
        others = await asyncio.gather(*(money.submit(database, by, rules=rules) for _ in range(5)))
        assert len({job.id for job in others}) == 5
        assert not waiting.done()
        await connection.rollback()
    assert (await waiting).id not in {job.id for job in others}
