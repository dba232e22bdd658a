"""Accepting a request: everything that can be refused is refused here, before anything is stored or spent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from shared import errors, ids, metrics
from shared.db import acceptance, budgets, engine, ledger
from shared.db import jobs as job_rows
from shared.domain import (
    doubts,
    endpoints,
    funnels,
    jobs,
    keys,
    models,
    names,
    offers,
    pricing,
    requests,
    requirements,
    routing,
    states,
    tenants,
)
from shared.outbound import downloads, targets
from shared.services import admission, groups, idempotency, inputs, limits, receivers, reservations


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is: the tenant, the key, and what both are held to."""

    tenant_id: str
    key_id: str
    mode: keys.Mode = keys.Mode.LIVE
    limits: keys.Limits = field(default_factory=keys.Limits)
    retention_seconds: int | None = None

    @property
    def is_test(self) -> bool:
        """Whether the key is a test key."""
        return self.mode is keys.Mode.TEST


@dataclass(frozen=True, slots=True)
class Rules:
    """What the deployment says about every request. Without a guard the strictest rules hold for `webhook_url`.
    With `together`, requests that come together are stored together.
    """

    default_deadline_seconds: int
    retention_seconds: int = 0
    gate: admission.Admission | None = None
    guard: targets.Guard = targets.STRICTEST
    together: groups.Groups | None = None


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A validated body, with who sent it."""

    sender: Sender
    kind: states.Kind
    request: requests.AnyRequest
    rules: Rules
    once: idempotency.Once | None = None
    rerun_of: str | None = None
    snapshot: endpoints.Snapshot = endpoints.NOTHING_KNOWN


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
    UnknownModelError, WrongKindError, UnsupportedValueError, NoEndpointsError, ForbiddenError, ForbiddenUrlError,
    IdempotencyMismatchError, IdempotencyInFlightError, BudgetExceededError, RateLimitedError, OverloadedError; then
    nothing is stored.
    """
    check_models(catalog, new.kind, new.request)
    usable = _reach(catalog, usable_providers, new)
    route = routed(new.request, catalog, usable, new.snapshot)
    if new.request.webhook_url is not None:
        await receivers.vet_url(new.rules.guard, new.request.webhook_url, "webhook_url")
    await inputs.vet(new.rules.guard, new.request)
    if new.rules.gate is not None:
        await new.rules.gate.check(db, new.request.priority, now)
    job = _new_job(new, catalog, route, now)
    receipt = await _store_in_group(db, new, job) or await _store_alone(db, new, job, now)
    if not receipt.replayed:
        metrics.JOBS_ACCEPTED.labels(job.kind).inc()
    return receipt


async def _store_in_group(db: engine.Database, new: NewRequest, job: jobs.NewJob) -> Receipt | None:
    """None if it has to go alone: within a larger transaction, or where submits of a key wait for one another."""
    grouped = new.rules.together
    if grouped is None or db.is_together or new.sender.limits.max_queued is not None:
        return None
    made = await grouped.store(job, new.once)
    return Receipt(made, replayed=False) if made is not None else None


async def _store_alone(db: engine.Database, new: NewRequest, job: jobs.NewJob, now: datetime) -> Receipt:
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
    held = replace(job, held_micros=job.estimate_micros, budget_ids=tuple(budget.id for budget in needed))
    made = await acceptance.insert_job(connection, held)
    await ledger.hold(connection, made, now)
    await reservations.reserve(connection, needed, job.estimate_micros, now)
    return made


def check_models(catalog: models.Catalog, kind: states.Kind, request: requests.AnyRequest) -> None:
    """Raise UnknownModelError, WrongKindError or UnsupportedValueError for what a model asked for does not offer."""
    for slug, param in _asked(request):
        model = catalog.models.get(slug)
        if model is None:
            raise unknown_model(catalog, slug, param)
        requirements.check(model, kind, request, param)


def _asked(request: requests.AnyRequest) -> list[tuple[str, str]]:
    """The models asked for, each with the field that names it."""
    return [(request.model, "model"), *((slug, f"models[{place}]") for place, slug in enumerate(request.models))]


def unknown_model(catalog: models.Catalog, slug: str, param: str) -> errors.UnknownModelError:
    """The error for a name that is not in the catalog, with those that look like it."""
    near = names.near(slug, catalog.models)
    return errors.UnknownModelError(f"No model is called {slug!r}.", param=param, accepted=near)


def _reach(catalog: models.Catalog, usable_providers: frozenset[str], new: NewRequest) -> frozenset[str]:
    """The providers this sender may use. Raises ForbiddenError for a test key that asks for a real model."""
    if not new.sender.is_test:
        return usable_providers
    check_sandbox(catalog, _asked(new.request), new.kind)
    return usable_providers & catalog.sandboxes()


def check_sandbox(catalog: models.Catalog, asked: Sequence[tuple[str, str]], kind: states.Kind | None = None) -> None:
    """Raise ForbiddenError for a model, named with its field, that a test key does not reach."""
    sandboxes = catalog.sandboxes()
    inside = {m.id for m in catalog.models.values() if sandboxes & {endpoint.provider for endpoint in m.endpoints}}
    for slug, param in asked:
        if slug not in inside:
            known = sorted(name for name in inside if kind is None or catalog.models[name].kind is kind)
            raise errors.ForbiddenError("A test key reaches sandbox models only.", param=param, accepted=known[:20])


def routed(
    request: requests.AnyRequest,
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    snapshot: endpoints.Snapshot,
) -> routing.Route:
    """The route of a request, likeliest order first. Raises NoEndpointsError, with the funnel, for an empty one."""
    route = routing.decide(request, catalog, usable_providers, snapshot=snapshot)
    if not route.candidates:
        raise no_endpoints(funnels.explain(request, catalog, usable_providers, route, snapshot), route)
    return route


def no_endpoints(funnel: funnels.Funnel, route: routing.Route) -> errors.NoEndpointsError:
    """The error for a request nobody can serve: what each filter took out, and what would help."""
    nearest = funnel.nearest
    return errors.NoEndpointsError(
        f"No endpoint can serve this request. {nearest.hint}" if nearest else None,
        details={
            "endpoints": funnel.endpoints,
            "funnel": [asdict(step) for step in funnel.steps],
            "nearest": asdict(nearest) if nearest else None,
            "excluded": [asdict(item) for item in route.excluded],
        },
    )


def _new_job(new: NewRequest, catalog: models.Catalog, route: routing.Route, now: datetime) -> jobs.NewJob:
    sender, request = new.sender, new.request
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
        estimate_micros=0 if sender.is_test else route.dearest_micros(),
        request=requests.store(request),
        prices=prices_of(catalog, request),
        rerun_of=new.rerun_of,
        webhook=_webhook(request),
        is_test=sender.is_test,
        store=request.store,
        retention_seconds=tenants.retention_seconds(
            request.retention_seconds, sender.retention_seconds, new.rules.retention_seconds
        ),
    )


def prices_of(catalog: models.Catalog, request: requests.AnyRequest) -> dict[str, dict[str, str]]:
    """Today's prices of every endpoint that might come to serve it, also those that are out of the route now."""
    offered = (offer for slug in request.asked_models() for offer in offers.of_model(catalog, slug))
    form = pricing.form(request)
    return {offer.name: offers.written(offer.tariff.of(*form)) for offer in offered}


def _webhook(request: requests.AnyRequest) -> jobs.Webhook | None:
    url, named = request.webhook_url, request.webhook_events
    if url is None:
        return None
    return jobs.Webhook(url, downloads.origin(url), tuple(named) if named else None, request.webhook_format)


async def _replay(connection: engine.Connection, new: NewRequest, job_id: str) -> Receipt:
    """The first answer again, word for word: what the job has become since, its polling URL tells."""
    job = await job_rows.get(connection, new.sender.tenant_id, job_id)
    if job is None:
        raise errors.NotFoundError
    return Receipt(replace(job, status=states.JobStatus.QUEUED), replayed=True)
