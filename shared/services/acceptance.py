"""Accepting a request: everything that can be refused is refused here, before anything is stored or spent."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from shared import errors, ids, metrics
from shared.db import acceptance, engine
from shared.db import jobs as job_rows
from shared.domain import doubts, endpoints, funnels, jobs, models, names, requests, requirements, routing, states
from shared.outbound import downloads, targets
from shared.services import receivers


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A validated body, with who sent it. `fingerprint` goes with `idempotency_key`."""

    tenant_id: str
    kind: states.Kind
    request: requests.AnyRequest
    default_deadline_seconds: int
    idempotency_key: str | None = None
    fingerprint: str | None = None
    rerun_of: str | None = None
    # The deployment's rules for `webhook_url`; without it the strictest hold.
    guard: targets.Guard = targets.STRICTEST
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
    """Store a job with its request and first event in ONE transaction and answer it. Commits.

    May be repeated with the same idempotency key: that answers the first job (promise P8). Raises
    UnknownModelError, WrongKindError, UnsupportedValueError, NoEndpointsError, ForbiddenUrlError,
    IdempotencyMismatchError; then nothing is stored.
    """
    check_models(catalog, new.kind, new.request)
    route = routed(new.request, catalog, usable_providers, new.snapshot)
    if new.request.webhook_url is not None:
        await receivers.vet_url(new.guard, new.request.webhook_url, "webhook_url")
    job = _new_job(new, route, now)
    async with db.transaction() as connection:
        if new.idempotency_key is not None:
            before = await acceptance.remember(connection, job, new.idempotency_key, new.fingerprint or "")
            if before is not None:
                return await _replay(connection, new, before)
        receipt = Receipt(await acceptance.insert_job(connection, job), replayed=False)
    metrics.JOBS_ACCEPTED.labels(job.kind).inc()
    return receipt


def check_models(catalog: models.Catalog, kind: states.Kind, request: requests.AnyRequest) -> None:
    """Raise UnknownModelError, WrongKindError or UnsupportedValueError for what a model asked for does not offer."""
    for place, slug in enumerate([request.model, *request.models]):
        param = "model" if place == 0 else f"models[{place - 1}]"
        model = catalog.models.get(slug)
        if model is None:
            raise unknown_model(catalog, slug, param)
        requirements.check(model, kind, request, param)


def unknown_model(catalog: models.Catalog, slug: str, param: str) -> errors.UnknownModelError:
    """The error for a name that is not in the catalog, with those that look like it."""
    near = names.near(slug, catalog.models)
    return errors.UnknownModelError(f"No model is called {slug!r}.", param=param, accepted=near)


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


def _new_job(new: NewRequest, route: routing.Route, now: datetime) -> jobs.NewJob:
    seconds = new.request.deadline_seconds or new.default_deadline_seconds
    return jobs.NewJob(
        id=ids.new(ids.Prefix.JOB),
        tenant_id=new.tenant_id,
        kind=new.kind,
        model=new.request.model,
        priority=new.request.priority,
        on_doubt=doubts.on_doubt(new.kind, new.request),
        created_at=now,
        deadline_at=now + timedelta(seconds=seconds),
        metadata=new.request.metadata,
        estimate_micros=route.dearest_micros(),
        request=requests.store(new.request),
        rerun_of=new.rerun_of,
        webhook=_webhook(new.request),
    )


def _webhook(request: requests.AnyRequest) -> jobs.Webhook | None:
    url, named = request.webhook_url, request.webhook_events
    return None if url is None else jobs.Webhook(url, downloads.origin(url), tuple(named) if named else None)


async def _replay(connection: engine.Connection, new: NewRequest, before: acceptance.Remembered) -> Receipt:
    if before.fingerprint != new.fingerprint:
        raise errors.IdempotencyMismatchError(param="Idempotency-Key")
    job = await job_rows.get(connection, new.tenant_id, before.job_id)
    if job is None:
        raise errors.NotFoundError
    return Receipt(job, replayed=True)
