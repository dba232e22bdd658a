"""What a worker makes of an answer to a repeated ask, and of a result nobody collected (promises P3 and P7)."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import clock, ids, settings
from shared.db import engine
from shared.db.tables import attempts as tables
from shared.domain import faults, jobs, outputs, requests, routing, states, tenants
from shared.providers import base
from shared.services import acceptance, claims
from shared.services import asks as ask_services
from shared.services import attempts as attempt_services
from shared.services import jobs as job_services
from tests.integration.tenants import money
from workers import context
from workers.steps import advance, settle, submit

SENDER = acceptance.Sender(tenants.HOUSE_ID, tenants.ADMIN_KEY_ID)
LOST = base.Unknown("The line was cut.")


def refused(kind: faults.FaultKind) -> base.Refused:
    return base.Refused(faults.Fault(kind, "No."))


@dataclass
class Bench:
    """One worker's own parts, and a hand that claims."""

    at: context.Context

    async def sent(self, request: requests.AnyRequest) -> claims.Claim:
        """A job whose first ask is on its way."""
        job = await money.submit(self.at.db, SENDER, request)
        claim = await self._claim(job.id)
        candidate = routing.decide(claim.request, money.CATALOG, money.USABLE).candidates[0]
        attempt = await ask_services.begin(self.at.db, claim.job, candidate, 0, 1, clock.now())
        await ask_services.mark_sent(self.at.db, claim.job, attempt, clock.now())
        return await claims.reload(self.at.db, claim.job)

    async def answered(self, claim: claims.Claim, outcome: base.SubmitOutcome) -> None:
        assert claim.last is not None
        await submit.record(self.at, claim, claim.last, outcome)

    async def repeated(self, job_id: str) -> claims.Claim:
        """The same job, asked once more under the same key."""
        claim = await self._claim(job_id)
        assert claim.last is not None
        await attempt_services.mark_asked_again(self.at.db, claim.job, claim.last)
        return await claims.reload(self.at.db, claim.job)

    async def status(self, job_id: str) -> str:
        async with self.at.db.transaction() as connection:
            found = await connection.execute(
                sa.select(tables.attempts.c.status).where(tables.attempts.c.job_id == job_id)
            )
            return str(found.scalar_one())

    async def _claim(self, job_id: str) -> claims.Claim:
        # A pause is no reason to wait here: claims look at the fence and the lease, doorbells at the time.
        claim = await claims.claim(self.at.db, job_id, ids.new(ids.Prefix.PROCESS), clock.now() + timedelta(hours=1))
        assert claim is not None
        return claim


@pytest.fixture
async def bench(configured: settings.Settings, database: engine.Database) -> AsyncIterator[Bench]:
    made = context.open_context(configured)
    yield Bench(made)
    await made.courier.close()
    await made.close()


@pytest.mark.parametrize("kind", [faults.FaultKind.INVALID_INPUT, faults.FaultKind.UNAVAILABLE])
async def test_a_refused_repeat_does_not_prove_that_the_first_ask_was_not_accepted(
    bench: Bench, kind: faults.FaultKind
) -> None:
    claim = await bench.sent(requests.TextRequest(model="sandbox/text", prompt="Name three rivers"))
    await bench.answered(claim, LOST)
    await bench.answered(await bench.repeated(claim.job.id), refused(kind))
    assert await bench.status(claim.job.id) == states.AttemptStatus.SENT


async def test_a_first_refusal_is_a_proof(bench: Bench) -> None:
    claim = await bench.sent(requests.TextRequest(model="sandbox/text", prompt="Name three rivers"))
    await bench.answered(claim, refused(faults.FaultKind.INVALID_INPUT))
    assert await bench.status(claim.job.id) == states.AttemptStatus.REFUSED


async def test_a_provider_that_is_away_is_waited_for_and_then_it_is_a_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await bench.sent(requests.TextRequest(model="sandbox/text", prompt="Name three rivers"))
    await bench.answered(claim, LOST)
    for _ in range(10):
        await bench.answered(await bench.repeated(claim.job.id), refused(faults.FaultKind.UNAVAILABLE))
    assert await bench.status(claim.job.id) == states.AttemptStatus.SENT
    monkeypatch.setattr(settle, "PATIENCE", timedelta(0))
    await bench.answered(await bench.repeated(claim.job.id), refused(faults.FaultKind.UNAVAILABLE))
    assert await bench.status(claim.job.id) == states.AttemptStatus.IN_DOUBT


async def test_a_job_cancelled_before_its_result_was_collected_is_charged_for_it(bench: Bench) -> None:
    claim = await bench.sent(requests.ImageRequest(model="sandbox/image", prompt="A lighthouse"))
    await bench.answered(claim, base.Finished((outputs.Source(url="http://127.0.0.1:9/never.png"),)))
    await job_services.request_cancel(bench.at.db, SENDER.tenant_id, claim.job.id, clock.now())
    bench.at.lease.renew(time.monotonic())
    await advance.run(bench.at, claim.job.id)
    view = await job_services.get(bench.at.db, SENDER.tenant_id, claim.job.id)
    job: jobs.Job = view.job
    assert (job.status, job.billed, job.held_micros) == (states.JobStatus.CANCELLED, states.Billed.YES, 0)
    assert job.cost_micros == job.estimate_micros > 0
