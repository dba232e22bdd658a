"""`GET /v1/models/{id}/endpoints`: who offers a model, on what terms, and how well they do it lately."""

from datetime import datetime
from typing import Annotated

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import models as model_answers
from shared.domain import endpoints, faults
from shared.services import models as model_services
from shared.services import offers

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["models"])


class Limits(pydantic.BaseModel):
    """What the provider lets each of our keys do, and when an accepted job counts as stuck."""

    concurrency: int
    requests_per_minute: int
    stuck_seconds: float = pydantic.Field(description="As it is now: three times the p95, within the catalog's limit")


class Held(pydantic.BaseModel):
    """A key that is not used for a while."""

    reason: endpoints.HoldReason
    credential: int = pydantic.Field(description="The place of the key among the provider's")
    until_at: datetime


class Health(pydantic.BaseModel):
    """The last quarter of an hour, over all callers. null: nothing was measured."""

    samples: int
    success_rate: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    tokens_per_second: float | None
    load: float = pydantic.Field(description="Asks in the air, as a share of what is allowed at once")
    last_fault: faults.FaultKind | None
    last_fault_at: datetime | None


class Endpoint(model_answers.Endpoint):
    """One provider's offer of the model, with its recent past."""

    endpoint: str = pydantic.Field(examples=["sandbox/video@sandbox"])
    parameters: list[str]
    limits: Limits
    health: Health
    breaker: endpoints.Breaker = pydantic.Field(
        description="`open`: only asked if nobody else is left; `half_open`: one probe at a time"
    )
    held: list[Held]


class Endpoints(pydantic.BaseModel):
    """All offers of a model, in the catalog's order."""

    id: str
    queue_depth: int = pydantic.Field(description="Your queued jobs that ask for this model; 1000 stands for more")
    measured_at: datetime | None
    endpoints: list[Endpoint]


@router.get(
    "/v1/models/{model_id:path}/endpoints", operation_id="list_endpoints", responses=errors.documented(400, 401, 404)
)
async def list_endpoints(
    model_id: Annotated[str, fastapi.Path(examples=["sandbox/video"])], caller: auth.Authenticated, given: parts.Given
) -> Endpoints:
    """The endpoints of a model with price, limits, policies and live health."""
    catalog, snapshot = given.catalog, given.watch.current
    usable = given.usable_providers(catalog)
    model_services.get(catalog, usable, model_id)
    views = offers.of_model(catalog, usable, snapshot, model_id)
    return Endpoints(
        id=model_id,
        queue_depth=await offers.queue_depth(given.db, caller.tenant_id, model_id),
        measured_at=snapshot.taken_at,
        endpoints=[_answer(view) for view in views],
    )


def _answer(view: offers.OfferView) -> Endpoint:
    offer, limits = view.offer, view.offer.endpoint.limits
    return Endpoint(
        endpoint=offer.name,
        provider=offer.provider.name,
        available=view.available,
        prices=model_answers.prices_of(offer.endpoint),
        retains=offer.endpoint.policy.retains,
        trains=offer.endpoint.policy.trains,
        zdr=offer.endpoint.policy.zdr,
        parameters=sorted(offer.takes),
        limits=Limits(
            concurrency=limits.concurrency,
            requests_per_minute=limits.requests_per_minute,
            stuck_seconds=view.stuck_seconds,
        ),
        health=_health(view.health, view.load),
        breaker=view.health.breaker,
        held=[Held(reason=hold.reason, credential=hold.credential, until_at=hold.until_at) for hold in view.holds],
    )


def _health(health: endpoints.Health, load: float) -> Health:
    return Health(
        samples=health.samples,
        success_rate=health.success_rate,
        p50_seconds=health.p50_seconds,
        p95_seconds=health.p95_seconds,
        tokens_per_second=health.tokens_per_second,
        load=load,
        last_fault=health.last_fault,
        last_fault_at=health.last_fault_at,
    )
