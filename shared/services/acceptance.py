"""Accepting a request: everything that can be refused is refused here, before anything is stored or spent."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared import errors, ids
from shared.db import acceptance, budgets, engine, ledger
from shared.db import jobs as job_rows
from shared.domain import doubts, jobs, keys, models, names, pricing, requests, requirements, routing, states, tenants
from shared.services import admission, idempotency, limits, reservations


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is: the tenant, the key, and what both are held to."""

    tenant_id: str
    key_id: str
    mode: keys.Mode = keys.Mode.LIVE
    limits: keys.Limits = field(default_factory=keys.Limits)
    retention_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about every request."""

    default_deadline_seconds: int
    retention_seconds: int = 0
    gate: admission.Admission | None = None


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A validated body, with who sent it."""

    sender: Sender
    kind: states.Kind
    request: requests.AnyRequest
    rules: Rules
    once: idempotency.Once | None = None
    rerun_of: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The job that stands for the request; `replayed` if it was there before."""

    job: jobs.Job
    replayed: bool


async def accept(
    db: engine.Database,
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    new: NewRequest,
    now: datetime,
) -> Receipt:
    """Store a job with its request, first event and reserved money in ONE transaction and answer it. Commits.

    May be repeated with the same idempotency key: that answers the first job (promise P8). Raises
    UnknownModelError, WrongKindError, UnsupportedValueError, NoEndpointsError, ForbiddenError,
    IdempotencyMismatchError, IdempotencyInFlightError, BudgetExceededError, RateLimitedError, OverloadedError; then
    nothing is stored.
    """
    _check_models(catalog, new)
    job = _new_job(new, _route(catalog, usable_providers, new), now)
    if new.rules.gate is not None:
        await new.rules.gate.check(db, new.request.priority, now)
    async with db.transaction() as connection:
        before = await idempotency.bind_job(connection, new.sender.tenant_id, new.once, job.id, now)
        if before is not None:
            return await _replay(connection, new, before)
        return Receipt(await insert(connection, new.sender, job, now), replayed=False)


async def insert(connection: engine.Connection, sender: Sender, job: jobs.NewJob, now: datetime) -> jobs.Job:
    """Insert the job with all that goes with it. The budgets come last: their rows are the busiest, and stay locked
    until the commit. Raises BudgetExceededError, RateLimitedError.
    """
    await limits.check_queued(connection, sender.key_id, sender.limits, adding=1)
    needed = await budgets.of_caller(connection, sender.tenant_id, sender.key_id) if job.estimate_micros else []
    reservations.check(needed, job.estimate_micros, now)
    made = await acceptance.insert_job(connection, replace(job, budget_ids=tuple(budget.id for budget in needed)))
    await ledger.hold(connection, made, now)
    await reservations.reserve(connection, needed, job.estimate_micros, now)
    return made


def _check_models(catalog: models.Catalog, new: NewRequest) -> None:
    for place, slug in enumerate([new.request.model, *new.request.models]):
        param = "model" if place == 0 else f"models[{place - 1}]"
        model = catalog.models.get(slug)
        if model is None:
            raise unknown_model(catalog, slug, param)
        requirements.check(model, new.kind, new.request, param)
        if new.sender.mode is keys.Mode.TEST and not _is_sandboxed(catalog, model):
            raise _not_for_tests(catalog, new.kind, param)


def unknown_model(catalog: models.Catalog, slug: str, param: str) -> errors.UnknownModelError:
    """The error for a name that is not in the catalog, with those that look like it."""
    near = names.near(slug, catalog.models)
    return errors.UnknownModelError(f"No model is called {slug!r}.", param=param, accepted=near)


def _is_sandboxed(catalog: models.Catalog, model: models.Model) -> bool:
    return any(endpoint.provider in catalog.sandboxes() for endpoint in model.endpoints)


def _not_for_tests(catalog: models.Catalog, kind: states.Kind, param: str) -> errors.ForbiddenError:
    known = sorted(m.id for m in catalog.models.values() if m.kind is kind and _is_sandboxed(catalog, m))
    return errors.ForbiddenError("A test key reaches sandbox models only.", param=param, accepted=known[:20])


def _route(catalog: models.Catalog, usable_providers: frozenset[str], new: NewRequest) -> routing.Route:
    is_test = new.sender.mode is keys.Mode.TEST
    route = routing.decide(
        new.request, catalog, usable_providers & catalog.sandboxes() if is_test else usable_providers
    )
    if not route.candidates:
        raise errors.NoEndpointsError(details=_funnel(route))
    return route


def _funnel(route: routing.Route) -> dict[str, object]:
    return {"excluded": [{"endpoint": item.endpoint, "reason": item.reason} for item in route.excluded]}


def _new_job(new: NewRequest, route: routing.Route, now: datetime) -> jobs.NewJob:
    sender, request = new.sender, new.request
    is_test = sender.mode is keys.Mode.TEST
    seconds = request.deadline_seconds or new.rules.default_deadline_seconds
    return jobs.NewJob(
        id=ids.new(ids.Prefix.JOB),
        tenant_id=sender.tenant_id,
        key_id=sender.key_id,
        kind=new.kind,
        model=request.model,
        priority=request.priority,
        on_doubt=doubts.on_doubt(new.kind, request),
        created_at=now,
        deadline_at=now + timedelta(seconds=seconds),
        metadata=request.metadata,
        estimate_micros=0 if is_test else route.dearest_micros(),
        request=requests.store(request),
        prices={c.name: pricing.snapshot(c.endpoint, request) for c in route.candidates},
        rerun_of=new.rerun_of,
        is_test=is_test,
        store=request.store,
        retention_seconds=tenants.retention_seconds(
            request.retention_seconds, sender.retention_seconds, new.rules.retention_seconds
        ),
    )


async def _replay(connection: engine.Connection, new: NewRequest, job_id: str) -> Receipt:
    """The first answer again, word for word: what the job has become since, its polling URL tells."""
    job = await job_rows.get(connection, new.sender.tenant_id, job_id)
    if job is None:
        raise errors.NotFoundError
    return Receipt(replace(job, status=states.JobStatus.QUEUED), replayed=True)
