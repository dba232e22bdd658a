"""Jobs taken through their lives by the services alone, as workers would, without a provider."""

import asyncio
from dataclasses import dataclass

from shared import clock, errors, ids, settings
from shared.catalog import shelf
from shared.db import engine
from shared.domain import budgets, faults, jobs, keys, models, requests, routing, states
from shared.providers import registry
from shared.services import acceptance, asks, claims, completion, idempotency
from shared.services import budgets as budget_services
from shared.services import jobs as job_services
from shared.services import keys as key_services
from shared.services import tenants as tenant_services

CATALOG = shelf.Shelf(settings.SHIPPED_CATALOG, registry.ABILITIES).current
USABLE = registry.usable(CATALOG, frozenset())
IMAGE = requests.ImageRequest(model="sandbox/image", prompt="A lighthouse")
_KINDS = {made: kind for kind, made in requests.BY_KIND.items()}
RULES = acceptance.Rules(default_deadline_seconds=3600, retention_seconds=86400)


def price(request: requests.AnyRequest = IMAGE, catalog: models.Catalog = CATALOG) -> int:
    """What is reserved for this request, in micro-dollars."""
    return routing.decide(request, catalog, USABLE).dearest_micros()


async def tenant(db: engine.Database, weight: int = 1) -> str:
    return (await tenant_services.create(db, "A test's tenant", weight, None, clock.now())).id


async def sender(db: engine.Database, tenant_id: str, **limits: int) -> acceptance.Sender:
    """A key of its own, as somebody who sends."""
    new = key_services.NewKey(tenant_id, "A test's key", keys.Mode.LIVE, frozenset(keys.Scope), keys.Limits(**limits))
    key = (await key_services.create(db, new, clock.now())).key
    return acceptance.Sender(tenant_id, key.id, limits=key.limits)


async def budget(
    db: engine.Database, by: acceptance.Sender, micros: int, period: budgets.Period, *, for_key: bool = False
) -> str:
    new = budget_services.NewBudget(by.tenant_id, by.key_id if for_key else None, period, micros)
    return (await budget_services.create(db, new, clock.now())).id


async def submit(
    db: engine.Database,
    by: acceptance.Sender,
    request: requests.AnyRequest = IMAGE,
    once: idempotency.Once | None = None,
    rules: acceptance.Rules = RULES,
) -> jobs.Job:
    new = acceptance.NewRequest(by, _KINDS[type(request)], request, rules, once)
    return (await acceptance.accept(db, CATALOG, USABLE, new, clock.now())).job


async def try_submit(db: engine.Database, by: acceptance.Sender, rules: acceptance.Rules = RULES) -> jobs.Job | None:
    """The job, or None if the budget did not allow it."""
    try:
        return await submit(db, by, rules=rules)
    except errors.BudgetExceededError:
        return None


@dataclass(frozen=True)
class Worker:
    """Does to jobs what workers do."""

    db: engine.Database

    async def start(self, job: jobs.Job) -> claims.Claim | None:
        """Claim the job and ask its first endpoint; None if somebody ended it first."""
        claim = await claims.claim(self.db, job.id, ids.new(ids.Prefix.PROCESS), clock.now())
        if claim is None:
            return None
        candidate = routing.decide(claim.request, CATALOG, USABLE).candidates[0]
        attempt = await asks.begin(self.db, claim.job, candidate, 0, 1, clock.now())
        await asks.mark_sent(self.db, claim.job, attempt, clock.now())
        return await claims.reload(self.db, claim.job)

    async def complete(self, job: jobs.Job, cost_micros: int) -> bool:
        claim = await self.start(job)
        if claim is None or claim.last is None:
            return False
        await completion.complete(self.db, claim.job, claim.last, (), cost_micros, clock.now())
        return True

    async def fail(self, job: jobs.Job) -> bool:
        """A failure that cost nothing."""
        claim = await self.start(job)
        if claim is None:
            return False
        fault = faults.Fault(faults.FaultKind.INVALID_INPUT, "The test says no.")
        await completion.end(self.db, claim.job, jobs.Ending.of_fault(fault, states.Billed.NO), clock.now())
        return True

    async def cancel(self, job: jobs.Job) -> bool:
        view = await job_services.request_cancel(self.db, job.tenant_id, job.id, clock.now())
        return view.job.status is states.JobStatus.CANCELLED


async def all_at_once(db: engine.Database, by: acceptance.Sender, count: int) -> list[jobs.Job]:
    """So many submits in the air at the same time; the jobs that were let in."""
    made = await asyncio.gather(*(try_submit(db, by) for _ in range(count)))
    return [job for job in made if job is not None]
