"""Money of batches (promise P7): reserved when they start, charged as rows end, the rest given back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asgi_lifespan
import httpx
import pytest
import sqlalchemy as sa

from api import app
from shared import clock, settings
from shared.db import budgets as budget_rows
from shared.db import engine
from shared.db import jobs as job_rows
from shared.db.tables import jobs as job_tables
from shared.db.tables import ledger as ledger_tables
from shared.domain import budgets, faults, jobs, keys, slices, states
from shared.providers import base
from shared.services import acceptance, claims, completion, slice_turns
from shared.services import budgets as budget_services
from shared.services import keys as key_services
from shared.services import ledger as ledger_services
from shared.services import slices as slice_services
from tests.integration.batches import conftest
from tests.integration.tenants import money
from workers import context
from workers.steps import batch_rows as row_steps
from workers.steps import slices as steps

PRICE = 500
PICTURE = 10_000
TEXT = {"model": "sandbox/text", "template": "About {{name}}"}
SetBudget = Callable[[int], Awaitable[str]]
Account = Callable[[], Awaitable[tuple[int, int]]]


def names(count: int) -> str:
    return "name\n" + "".join(f"row {number}\n" for number in range(count))


@pytest.fixture
def mode() -> keys.Mode:
    return keys.Mode.LIVE


@pytest.fixture
async def owner(database: engine.Database, mode: keys.Mode) -> key_services.Shown:
    """A tenant's own key."""
    new = key_services.NewKey(await money.tenant(database), "A test's key", mode, frozenset(keys.Scope), keys.Limits())
    return await key_services.create(database, new, clock.now())


@pytest.fixture
async def api(
    owner: key_services.Shown, batch_settings: settings.Settings, worker: context.Context
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant, in place of the operator's."""
    made = app.create_app(batch_settings)
    headers = {"Authorization": f"Bearer {owner.secret}"}
    transport = httpx.ASGITransport(made)
    async with (
        asgi_lifespan.LifespanManager(made),
        httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def budget(database: engine.Database, owner: key_services.Shown) -> SetBudget:
    """Sets the tenant's budget."""

    async def make(micros: int) -> str:
        by = acceptance.Sender(owner.key.tenant_id, owner.key.id)
        return await money.budget(database, by, micros, budgets.Period.TOTAL)

    return make


@pytest.fixture
def account(database: engine.Database, owner: key_services.Shown) -> Account:
    """What the tenant's budget holds and has spent; the books must balance."""

    async def look() -> tuple[int, int]:
        assert await ledger_services.imbalances(database) == []
        async with database.transaction() as connection:
            [found] = await budget_rows.of_caller(connection, owner.key.tenant_id, owner.key.id)
        return found.held_micros, found.spent_micros

    return look


async def charges(database: engine.Database) -> list[int]:
    """Every charge in the ledger."""
    lines = ledger_tables.ledger
    async with database.transaction() as connection:
        found = await connection.execute(sa.select(lines.c.micros).where(lines.c.kind == "charge"))
    return list(found.scalars())


async def released(database: engine.Database) -> list[jobs.Job]:
    async with database.transaction() as connection:
        found = await connection.execute(sa.select(job_tables.jobs.c.id, job_tables.jobs.c.tenant_id))
        made = [await job_rows.get(connection, row.tenant_id, row.id) for row in found]
    return [job for job in made if job is not None]


async def tried(send: conftest.Send, drive: conftest.Drive, rows: int, **fields: str) -> str:
    """A batch that was read and not started; its URL."""
    batch = (await send(names(rows), **TEXT | fields, dry_run="true")).json()
    await drive(batch["id"], "ready")
    return f"/v1/batches/{batch['id']}"


async def test_a_budget_that_covers_the_batch_is_spent_row_by_row(
    send: conftest.Send,
    drive: conftest.Drive,
    budget: SetBudget,
    account: Account,
    api: httpx.AsyncClient,
    database: engine.Database,
) -> None:
    await budget(10 * PRICE)
    url = await tried(send, drive, 10)
    assert (await api.get(f"{url}/report")).json()["budget_suffices"] is True
    assert await account() == (0, 0)
    assert (await api.post(f"{url}/start")).status_code == 200
    assert await account() == (10 * PRICE, 0)
    assert (await api.post(f"{url}/start")).status_code == 200
    assert await account() == (10 * PRICE, 0)
    ended = await drive(url[-30:])
    assert (ended["counts"]["completed"], ended["cost_micros"]) == (10, 10 * PRICE)
    assert await account() == (0, 10 * PRICE)
    assert await charges(database) == [PRICE] * 10


async def test_without_a_budget_rows_are_charged_all_the_same(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, database: engine.Database
) -> None:
    url = await tried(send, drive, 5)
    assert (await api.get(f"{url}/report")).json()["budget_suffices"] is None
    await api.post(f"{url}/start")
    await drive(url[-30:])
    assert await charges(database) == [PRICE] * 5
    assert await ledger_services.imbalances(database) == []


async def test_what_the_budget_does_not_allow_stays_ready_until_it_does(
    send: conftest.Send,
    drive: conftest.Drive,
    budget: SetBudget,
    account: Account,
    api: httpx.AsyncClient,
    database: engine.Database,
) -> None:
    budget_id = await budget(10 * PRICE - 1)
    batch = (await send(names(10), **TEXT)).json()
    ready = await drive(batch["id"], "ready", "in_progress")
    assert (ready["status"], ready["error"]["code"]) == ("ready", "budget_exceeded")
    assert f"POST /v1/batches/{batch['id']}/start" in ready["error"]["message"]
    url = f"/v1/batches/{batch['id']}"
    assert (await api.get(f"{url}/report")).json()["budget_suffices"] is False
    refused = await api.post(f"{url}/start")
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    details = refused.json()["error"]["details"]
    assert (details["needed_micros"], details["left_micros"]) == (10 * PRICE, 10 * PRICE - 1)
    assert (await api.get(url)).json()["status"] == "ready"
    assert await account() == (0, 0)
    await budget_services.change(database, budget_services.Reach(None), budget_id, 10 * PRICE, clock.now())
    assert (await api.post(f"{url}/start")).json()["error"] is None
    assert (await drive(batch["id"]))["status"] == "completed"
    assert await account() == (0, 10 * PRICE)


async def test_of_two_batches_that_race_for_a_budget_one_starts(
    send: conftest.Send, drive: conftest.Drive, budget: SetBudget, account: Account, api: httpx.AsyncClient
) -> None:
    await budget(15 * PRICE)
    urls = [await tried(send, drive, 10) for _ in range(2)]
    answers = await asyncio.gather(*(api.post(f"{url}/start") for url in urls))
    assert sorted(answer.status_code for answer in answers) == [200, 402]
    assert await account() == (10 * PRICE, 0)
    for url, answer in zip(urls, answers, strict=True):
        if answer.status_code == 200:
            await drive(url[-30:])
    assert await account() == (0, 10 * PRICE)


def supply_of(worker: context.Context, rows: int) -> slices.Supply:
    return slices.Supply(worker.shelf.current, worker.usable_providers(), worker.watch.current, rows)


async def take(worker: context.Context, batch_id: str, rows: int) -> tuple[slice_services.Slice, list[slices.Ask]]:
    """Take some rows in hand, as a worker does."""
    supply = supply_of(worker, rows)
    here = await slice_services.begin(worker.db, batch_id, worker.process_id, supply)
    assert here is not None
    later = clock.now() + timedelta(minutes=5)
    taken = await slice_turns.turn(worker.db, here, [], supply, later, slice_turns.InHand())
    return here, list(taken.asks)


async def give(worker: context.Context, here: slice_services.Slice, *results: slice_services.Result) -> None:
    supply = supply_of(worker, 0)
    await slice_turns.turn(worker.db, here, results, supply, clock.now(), slice_turns.InHand())
    await slice_services.drop(worker.db, [here.number])


async def answered(worker: context.Context, here: slice_services.Slice, ask: slices.Ask) -> slices.Outcome:
    attempt = ask.attempt(here.batch, clock.now())
    outcome = await worker.adapter("sandbox", 0).submit(row_steps.ask_of(ask, attempt))
    assert isinstance(outcome, base.Finished)
    return slices.completed(ask, "An answer", outcome.usage, clock.now())


@pytest.fixture(params=["cancelled", "expired"])
def stop(
    request: pytest.FixtureRequest, api: httpx.AsyncClient, pass_deadline: Callable[[str], Awaitable[None]]
) -> Callable[[str], Awaitable[str]]:
    """Stops a batch; answers as what it then ends."""

    async def act(url: str) -> str:
        await (api.post(f"{url}/cancel") if request.param == "cancelled" else pass_deadline(url[-30:]))
        return str(request.param)

    return act


async def test_a_batch_stopped_half_way_gives_the_rest_back(
    send: conftest.Send,
    drive: conftest.Drive,
    budget: SetBudget,
    account: Account,
    api: httpx.AsyncClient,
    worker: context.Context,
    stop: Callable[[str], Awaitable[str]],
) -> None:
    await budget(10 * PRICE)
    url = await tried(send, drive, 10)
    await api.post(f"{url}/start")
    here, asks = await take(worker, url[-30:], 4)
    results = [await answered(worker, here, ask) for ask in asks]
    assert await account() == (10 * PRICE, 0)
    await give(worker, here, *results)
    assert await account() == (6 * PRICE, 4 * PRICE)
    ending = await stop(url)
    ended = await drive(url[-30:])
    assert (ended["status"], ended["counts"][ending], ended["cost_micros"]) == (ending, 6, 4 * PRICE)
    assert await account() == (0, 4 * PRICE)
    # A retry needs what is left to run, and no more.
    assert (await api.post(f"{url}/retry")).status_code == 200
    assert await account() == (6 * PRICE, 4 * PRICE)
    assert (await drive(url[-30:]))["counts"]["completed"] == 10
    assert await account() == (0, 10 * PRICE)


async def test_a_retry_that_cannot_be_paid_changes_nothing(
    send: conftest.Send, drive: conftest.Drive, budget: SetBudget, account: Account, api: httpx.AsyncClient
) -> None:
    await budget(3 * PRICE)
    body = "prompt,model\na,sandbox/text\nb,sandbox/text-refuse\nc,sandbox/text-refuse\n"
    batch = (await send(body)).json()
    await drive(batch["id"])
    assert await account() == (0, PRICE)
    url = f"/v1/batches/{batch['id']}"
    other = await tried(send, drive, 1)
    await api.post(f"{other}/start")
    refused = await api.post(f"{url}/retry")
    assert (refused.status_code, refused.json()["error"]["details"]["needed_micros"]) == (402, 2 * PRICE)
    found = (await api.get(url)).json()
    assert (found["status"], found["generation"]) == ("completed", 0)
    assert await account() == (PRICE, PRICE)
    await api.post(f"{other}/cancel")
    await drive(other[-30:])
    assert (await api.post(f"{url}/retry")).status_code == 200
    assert await account() == (2 * PRICE, PRICE)
    assert (await api.post(f"{url}/cancel")).status_code == 200
    assert (await drive(batch["id"]))["status"] == "cancelled"
    assert await account() == (0, PRICE)


async def test_rows_that_go_on_as_jobs_are_charged_once_and_hold_nothing(
    send: conftest.Send,
    drive: conftest.Drive,
    budget: SetBudget,
    account: Account,
    worker: context.Context,
    database: engine.Database,
    owner: key_services.Shown,
) -> None:
    await budget(3 * PICTURE)
    batch = (await send("prompt\na\nb\nc\n", model="sandbox/image")).json()
    await drive(batch["id"], "in_progress")
    await steps.run(worker, batch["id"])
    first, second, third = await released(database)
    assert {(job.key_id, job.held_micros, job.is_test) for job in (first, second, third)} == {(owner.key.id, 0, False)}
    assert await account() == (3 * PICTURE, 0)
    async with database.transaction() as connection:
        stored = await job_rows.stored_request(connection, first.tenant_id, first.id)
    assert stored is not None
    assert stored.prices["sandbox/image@sandbox"] == {"image": "0.01"}
    service = money.Worker(database)
    assert await service.complete(first, PICTURE)
    assert await service.complete(second, PICTURE - 1)
    assert await service.fail(third)
    ended = await drive(batch["id"])
    assert (ended["counts"]["completed"], ended["counts"]["failed"]) == (2, 1)
    assert ended["cost_micros"] == 2 * PICTURE - 1
    assert await account() == (0, 2 * PICTURE - 1)
    assert sorted(await charges(database)) == [0, PICTURE - 1, PICTURE]


async def test_an_attempt_made_before_a_row_became_a_job_is_charged_with_the_job(
    send: conftest.Send,
    drive: conftest.Drive,
    budget: SetBudget,
    account: Account,
    api: httpx.AsyncClient,
    worker: context.Context,
    database: engine.Database,
) -> None:
    await budget(2 * PRICE)
    url = await tried(send, drive, 2)
    await api.post(f"{url}/start")
    here, [ask] = await take(worker, url[-30:], 1)
    now = clock.now()
    fault = faults.Fault(faults.FaultKind.UNAVAILABLE, "The test says no, for money.")
    over = slices.ended(ask.attempt(here.batch, now), states.AttemptStatus.FAILED, fault, now, PRICE)
    await give(worker, here, slices.after_failure(here.batch, ask, over, supply_of(worker, 0), now))
    assert await charges(database) == []
    here, [again] = await take(worker, url[-30:], 1)
    assert again.number == 2
    attempt = again.attempt(here.batch, clock.now())
    history = (*again.order.row.history, slices.accepted(attempt, "upstream", clock.now()))
    await give(worker, here, slices.HandOver(again.order, states.Step.SUBMIT, clock.now(), history))
    [job] = await released(database)
    # Its last attempt was accepted already: nobody asks again, the job only waits for that answer.
    claim = await claims.claim(database, job.id, worker.process_id, clock.now())
    assert claim is not None
    assert claim.last is not None
    await completion.complete(database, claim.job, claim.last, (), PRICE, clock.now())
    ended = await drive(url[-30:])
    assert (ended["counts"]["completed"], ended["cost_micros"]) == (2, 3 * PRICE)
    assert await account() == (0, 3 * PRICE)


class TestOfATestKey:
    @pytest.fixture
    def mode(self) -> keys.Mode:
        return keys.Mode.TEST

    async def test_a_batch_costs_nothing_and_its_jobs_are_test_jobs(
        self,
        send: conftest.Send,
        drive: conftest.Drive,
        budget: SetBudget,
        account: Account,
        worker: context.Context,
        database: engine.Database,
    ) -> None:
        await budget(1)
        batch = (await send(names(4), **TEXT)).json()
        ended = await drive(batch["id"])
        assert (ended["status"], ended["cost_micros"]) == ("completed", 0)
        assert await charges(database) == [0] * 4
        pictures = (await send("prompt\na\n", model="sandbox/image")).json()
        await drive(pictures["id"], "in_progress")
        await steps.run(worker, pictures["id"])
        [job] = await released(database)
        assert (job.is_test, job.estimate_micros) == (True, 0)
        assert await money.Worker(database).complete(job, PICTURE)
        assert (await drive(pictures["id"]))["cost_micros"] == 0
        assert await account() == (0, 0)
