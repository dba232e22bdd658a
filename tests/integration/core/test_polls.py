"""Due polls: taken once each, put off, written back in numbers; and of two that learn of the end, one acts on it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web

from shared import clock, settings
from shared.db import engine, rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as tables
from shared.domain import jobs, outputs, polls, requests, states
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import jobs as job_services
from shared.services import polls as services
from tests.integration.core import test_steps as steps
from workers import context, poller
from workers.steps import poll

DEADLINE_SECONDS = 10
VIDEO = requests.VideoRequest(model="sandbox/video", prompt="A heron", duration=1)


class Provider:
    """Knows every id; says nothing of the one that is called `slow` until it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == "slow":
            await self.let.wait()
        return web.json_response({"id": request.match_info["id"], "status": "running", "progress": 40})


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, str]]:
    made, app = Provider(), web.Application()
    app.router.add_get("/{account}/v1/generations/{id}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    made.let.set()
    await runner.cleanup()


@pytest.fixture
async def bench(
    configured: settings.Settings, database: engine.Database, provider: tuple[Provider, str]
) -> AsyncIterator[steps.Bench]:
    made = context.open_context(configured.model_copy(update={"sandbox_url": provider[1]}))
    made.lease.renew(time.monotonic())
    yield steps.Bench(made)
    await made.courier.close()
    await made.close()


async def waiting(bench: steps.Bench, upstream_id: str) -> polls.Due:
    """A job that its provider has accepted, and that was due for its next poll when it was taken."""
    claim = await bench.sent(VIDEO)
    assert claim.last is not None
    await attempt_services.accepted(bench.at.db, claim.job, claim.last, upstream_id, clock.now(), clock.now())
    [due] = await services.take(bench.at.db, clock.now(), 10, lambda _: 60.0)
    assert due.upstream_id == upstream_id
    return due


async def read(db: engine.Database, job_id: str) -> jobs.Job:
    async with db.transaction() as connection:
        return rows.job((await connection.execute(sa.select(tables.jobs).where(tables.jobs.c.id == job_id))).one())


async def make_due(db: engine.Database) -> None:
    async with db.transaction() as connection:
        await connection.execute(sa.update(tables.jobs).values(due_at=clock.now()))


async def until_polled(db: engine.Database, attempt_id: str) -> None:
    counted = sa.select(attempt_tables.attempts.c.poll_count).where(attempt_tables.attempts.c.id == attempt_id)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            async with db.transaction() as connection:
                if (await connection.execute(counted)).scalar_one():
                    return


async def test_each_is_taken_once_and_put_off(bench: steps.Bench) -> None:
    due = await waiting(bench, "up-1")
    await make_due(bench.at.db)
    taken = await asyncio.gather(*(services.take(bench.at.db, clock.now(), 10, lambda _: 60.0) for _ in range(4)))
    assert [item.job_id for some in taken for item in some] == [due.job_id]
    job = await read(bench.at.db, due.job_id)
    assert timedelta(seconds=50) < job.due_at - clock.now() <= timedelta(seconds=60)
    assert job.lease_owner is None


async def test_none_is_put_off_beyond_its_deadline(bench: steps.Bench) -> None:
    due = await waiting(bench, "up-1")
    await make_due(bench.at.db)
    await services.take(bench.at.db, clock.now(), 10, lambda _: 1e6)
    assert (await read(bench.at.db, due.job_id)).due_at == due.deadline_at


async def noted(bench: steps.Bench, answer: polls.Answer) -> tuple[list[str], datetime, jobs.Job]:
    before = await read(bench.at.db, answer.due.job_id)
    changed = await services.note(bench.at.db, [answer], clock.now())
    return changed, before.due_at, await read(bench.at.db, answer.due.job_id)


async def test_progress_rises_and_nothing_else_changes(bench: steps.Bench) -> None:
    due = await waiting(bench, "up-1")
    changed, due_at, job = await noted(bench, polls.Answer(due, progress=40))
    assert (changed, job.progress, job.due_at) == ([due.job_id], 40, due_at)
    _, _, job = await noted(bench, polls.Answer(due, progress=20))
    assert job.progress == 40
    changed, _, _ = await noted(bench, polls.Answer(due))
    assert not changed


async def test_a_provider_that_wants_to_be_left_alone_is_but_not_beyond_the_deadline(bench: steps.Bench) -> None:
    due = await waiting(bench, "up-1")
    later = clock.now() + timedelta(seconds=120)
    _, _, job = await noted(bench, polls.Answer(due, not_before=later))
    assert (job.due_at, job.progress) == (later, 0)
    _, _, job = await noted(bench, polls.Answer(due, not_before=due.deadline_at + timedelta(days=1)))
    assert job.due_at == due.deadline_at


async def test_a_job_that_was_cancelled_meanwhile_stays_due(bench: steps.Bench) -> None:
    due = await waiting(bench, "up-1")
    await job_services.request_cancel(bench.at.db, steps.SENDER.tenant_id, due.job_id, clock.now())
    _, _, job = await noted(bench, polls.Answer(due, 40, clock.now() + timedelta(seconds=120)))
    assert job.due_at <= clock.now()


async def test_of_two_that_learn_of_the_end_one_acts_on_it(bench: steps.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    due = await waiting(bench, "up-1")

    class Done:
        async def poll(self, _upstream_id: str) -> base.PollOutcome:
            return base.Finished((outputs.Source(url="http://127.0.0.1:9/never.mp4"),))

    monkeypatch.setattr(context.Context, "adapter", lambda *_: Done())
    assert not any(await asyncio.gather(poll.poll(bench.at, due), poll.poll(bench.at, due)))
    job = await read(bench.at.db, due.job_id)
    assert (job.step, job.lease_owner, job.fence) == (states.Step.COLLECT, None, 2)
    # A late answer to a third poll changes nothing any more.
    changed, due_at, job = await noted(bench, polls.Answer(due, 60, clock.now() + timedelta(seconds=120)))
    assert (changed, job.progress, job.due_at) == ([], 0, due_at)


async def test_a_slow_provider_holds_up_nobody_else(bench: steps.Bench, provider: tuple[Provider, str]) -> None:
    slow, quick = await waiting(bench, "slow"), await waiting(bench, "up-1")
    pump = poller.Poller(bench.at)
    pump.start()
    try:
        await make_due(bench.at.db)
        pump.wake()
        await until_polled(bench.at.db, quick.attempt_id)
        assert (await read(bench.at.db, quick.job_id)).progress == 40
        assert (await read(bench.at.db, slow.job_id)).progress == 0
        provider[0].let.set()
        await until_polled(bench.at.db, slow.attempt_id)
    finally:
        await pump.close()


async def test_a_poll_that_breaks_breaks_no_other(bench: steps.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = await waiting(bench, "up-1"), await waiting(bench, "up-2")
    original = poll.poll

    async def breaking(at: context.Context, due: polls.Due) -> polls.Answer | None:
        if due.job_id == broken.job_id:
            raise RuntimeError
        return await original(at, due)

    monkeypatch.setattr(poll, "poll", breaking)
    pump = poller.Poller(bench.at)
    pump.start()
    try:
        await make_due(bench.at.db)
        pump.wake()
        await until_polled(bench.at.db, whole.attempt_id)
    finally:
        await pump.close()
