"""`/v1/webhook-deliveries`: the log of every event to every receiver, and sending again."""

from datetime import datetime
from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, errors, moments, parts, routing
from shared import clock, ids
from shared import errors as faults
from shared.domain import deliveries, events, tries
from shared.services import deliveries as services

EXAMPLE_ID = "dlv_01k0zqj5w3m8v4t2c6n9xb7rde"

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["webhooks"])
DeliveryId = Annotated[str, fastapi.Path(examples=[EXAMPLE_ID])]


class DeliverySummary(pydantic.BaseModel):
    """One event to one receiver."""

    id: str
    event_id: str = pydantic.Field(description="The `webhook-id` of every try")
    event_type: events.EventType
    subject_id: str = pydantic.Field(description="The job, batch or receiver the event is about")
    receiver_id: str = pydantic.Field(description="For a job's own URL, one that stands for all such at its origin")
    url: str | None = pydantic.Field(description="A job's own URL; null: the receiver's")
    status: deliveries.DeliveryStatus
    trigger: tries.Trigger
    try_count: int
    next_try_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_status_code: int | None
    last_error: str | None


class Try(pydantic.BaseModel):
    """One post: when, how long, to which address, and what came back."""

    number: int
    trigger: tries.Trigger
    started_at: datetime
    duration_seconds: float
    status_code: int | None
    error: str | None = pydantic.Field(description="A class of fault when there was no answer", examples=["timeout"])
    address: str | None
    response_headers: dict[str, str]
    response_head: str = pydantic.Field(description="The first 16 KB of the answer, as text")


class Delivery(DeliverySummary):
    """A delivery with all its tries."""

    tries: list[Try]


class DeliveryPage(pydantic.BaseModel):
    """One page, newest first. Ask for the next with `cursor=next_cursor`."""

    data: list[DeliverySummary]
    has_more: bool
    next_cursor: str | None


async def _filter(
    receiver: str | None = None,
    status: Annotated[list[deliveries.DeliveryStatus], fastapi.Query(description="May be repeated")] = [],  # noqa: B006 - FastAPI copies it
    event: Annotated[list[events.EventType], fastapi.Query(description="May be repeated")] = [],  # noqa: B006 - see above
    event_id: str | None = None,
    job: Annotated[str | None, fastapi.Query(description="A job, batch or receiver the events are about")] = None,
    created_after: moments.Moment | None = None,
    created_before: moments.Moment | None = None,
) -> services.Filter:
    return services.Filter(
        receiver_id=receiver,
        statuses=frozenset(status),
        event_types=frozenset(event),
        event_id=event_id,
        subject_id=job,
        created_after=created_after,
        created_before=created_before,
    )


@router.get("/v1/webhook-deliveries", operation_id="list_deliveries", responses=errors.documented(400, 401))
async def list_deliveries(
    caller: auth.Authenticated,
    given: parts.Given,
    wanted: Annotated[services.Filter, fastapi.Depends(_filter)],
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, fastapi.Query(description="`next_cursor` of the page before")] = None,
) -> DeliveryPage:
    """The log, newest first."""
    if cursor is not None and not ids.is_valid(ids.Prefix.DELIVERY, cursor):
        raise faults.InvalidRequestError("Send the `next_cursor` of a page as it is.", param="cursor")
    page = await services.list_page(given.db, caller.tenant_id, wanted, cursor, limit)
    shown = [DeliverySummary(**_fields(item)) for item in page.deliveries]
    return DeliveryPage(data=shown, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)


@router.get(
    "/v1/webhook-deliveries/{delivery_id}", operation_id="get_delivery", responses=errors.documented(400, 401, 404)
)
async def get_delivery(delivery_id: DeliveryId, caller: auth.Authenticated, given: parts.Given) -> Delivery:
    """A delivery with every try and what was answered."""
    delivery, made = await services.get(given.db, caller.tenant_id, delivery_id)
    return Delivery(**_fields(delivery), tries=[_try(tried) for tried in made])


@router.post(
    "/v1/webhook-deliveries/{delivery_id}/replay",
    status_code=202,
    operation_id="replay_delivery",
    responses=errors.documented(400, 401, 404, 409),
)
async def replay_delivery(delivery_id: DeliveryId, caller: auth.Authenticated, given: parts.Given) -> DeliverySummary:
    """Send it again now, whatever became of it: the same id, a new timestamp, the current secret."""
    delivery = await services.replay(given.db, caller.tenant_id, delivery_id, clock.now())
    given.hints.give()
    return DeliverySummary(**_fields(delivery))


def _fields(delivery: deliveries.Delivery) -> dict[str, Any]:
    shown = {name: getattr(delivery, name) for name in DeliverySummary.model_fields if name != "next_try_at"}
    pending = delivery.status is deliveries.DeliveryStatus.PENDING
    return shown | {"next_try_at": delivery.due_at if pending else None}


def _try(tried: tries.Try) -> Try:
    named = set(Try.model_fields) - {"response_head"}
    return Try(
        **{name: getattr(tried, name) for name in named},
        response_head=tried.response_head.decode("utf-8", "replace"),
    )
