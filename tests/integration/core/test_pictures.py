"""Where a job's pictures lie is looked up again before a provider is told of them: names change their address."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import settings
from shared.db import engine
from shared.domain import jobs, requests, states, tenants
from shared.services import acceptance
from shared.services import jobs as job_services
from tests.integration.tenants import money
from workers import context
from workers.steps import advance, submit

SENDER = acceptance.Sender(tenants.HOUSE_ID, tenants.ADMIN_KEY_ID)
REQUEST = requests.ImageRequest(
    model="sandbox/image",
    prompt="A lighthouse",
    input_references=[
        requests.InputReference(type="image_url", image_url=requests.ImageUrl(url="https://pictures.example/x.png"))
    ],
)


def knowing(at: context.Context, addresses: Sequence[str]) -> context.Context:
    """The same worker, where every name means these addresses."""

    async def lookup(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return replace(at, guard=replace(at.guard, lookup=lookup))


@pytest.fixture
async def worker(configured: settings.Settings, database: engine.Database) -> AsyncIterator[context.Context]:
    made = context.open_context(configured)
    made.lease.renew(time.monotonic())
    yield made
    await made.courier.close()
    await made.close()


async def after_a_turn(at: context.Context) -> tuple[jobs.Job, int]:
    """A new job after one worker has looked at it, and how many attempts were made."""
    rules = replace(money.RULES, guard=knowing(at, ["93.184.215.14"]).guard)
    job = await money.submit(at.db, SENDER, REQUEST, rules=rules)
    await advance.run(at, job.id)
    view = await job_services.get(at.db, SENDER.tenant_id, job.id)
    return view.job, len(view.attempts)


async def test_a_name_that_means_an_address_inside_by_now_fails_the_job_unasked(worker: context.Context) -> None:
    job, attempts = await after_a_turn(knowing(worker, ["10.0.0.1"]))
    assert (job.status, job.error_code, attempts) == (states.JobStatus.FAILED, "invalid_input", 0)
    assert "input_references[0].image_url.url" in str(job.error_message)
    assert (job.billed, job.cost_micros, job.held_micros) == (states.Billed.NO, 0, 0)


async def test_a_name_nobody_knows_at_the_moment_is_waited_for_and_not_for_ever(
    worker: context.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, attempts = await after_a_turn(knowing(worker, []))
    assert (job.status, attempts) == (states.JobStatus.QUEUED, 0)
    assert job.due_at > job.created_at + timedelta(seconds=submit.NAME_SECONDS / 2)
    monkeypatch.setattr(submit, "NAME_PATIENCE_SECONDS", 0.0)
    job, _ = await after_a_turn(knowing(worker, []))
    assert job.status is states.JobStatus.FAILED
