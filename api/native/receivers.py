"""`/v1/webhook-receivers`: who is told of events, and with which secret."""

from datetime import datetime
from typing import Annotated, Self

import fastapi
import pydantic

from api import auth, errors, moments, parts, routing
from shared import clock
from shared.domain import events, receivers
from shared.domain import requests as domain
from shared.services import receivers as services
from shared.webhooks import verification

EXAMPLE_ID = "rcv_01k0zqj5w3m8v4t2c6n9xb7rde"
DESCRIPTION_CHARACTERS = 500

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["webhooks"])
ReceiverId = Annotated[str, fastapi.Path(examples=[EXAMPLE_ID])]
Subscribable = Annotated[events.EventType, pydantic.Field(strict=False)]
Events = Annotated[
    list[Subscribable] | None,
    pydantic.Field(min_length=1, max_length=50, description="null: all but those of progress, which must be named"),
]
Headers = Annotated[dict[str, str], pydantic.Field(description="Sent with every try, such as Authorization")]
Description = Annotated[str, pydantic.Field(max_length=DESCRIPTION_CHARACTERS)]


class _Checked(domain.Strict):
    """What both bodies of a receiver check."""

    @pydantic.field_validator("events", check_fields=False)
    @classmethod
    def _can_be_asked_for(cls, named: list[events.EventType] | None) -> list[events.EventType] | None:
        if wrong := set(named or ()) - events.SUBSCRIBABLE:
            raise ValueError(f"{min(wrong).value} cannot be subscribed to")
        return named

    @pydantic.field_validator("headers", check_fields=False)
    @classmethod
    def _headers_may_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        if fault := receivers.header_fault(headers):
            raise ValueError(fault)
        return headers


class NewReceiver(_Checked):
    """A URL that wants events."""

    url: Annotated[domain.Url, pydantic.Field(examples=["https://example.com/genqueue"])]
    events: Events = None
    description: Description = ""
    headers: Headers = pydantic.Field({})
    enabled: bool = True


class ReceiverChange(_Checked):
    """What to change; what is left out stays as it is."""

    url: domain.Url = ""
    events: Events = None
    description: Description = ""
    headers: Headers = pydantic.Field({})
    enabled: bool = True


class Receiver(pydantic.BaseModel):
    """A receiver. The values of its headers are not shown again."""

    id: str
    url: str
    events: list[events.EventType] | None
    description: str
    header_names: list[str]
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: receivers.DisabledReason | None
    failures: int = pydantic.Field(description="Failed tries since the last good one")
    failing_since_at: datetime | None
    paused_until_at: datetime | None = pydantic.Field(description="It is left alone until then")
    created_at: datetime

    @classmethod
    def of(cls, receiver: receivers.Receiver) -> Self:
        """As callers see it."""
        named = set(cls.model_fields) - {"enabled", "events", "header_names"}
        return cls(
            **{name: getattr(receiver, name) for name in named},
            enabled=receiver.disabled_at is None,
            events=None if receiver.events is None else list(receiver.events),
            header_names=list(receiver.header_names),
        )


class ReceiverList(pydantic.BaseModel):
    """All receivers; their number is limited, so there are no pages."""

    data: list[Receiver]


class Sent(pydantic.BaseModel):
    """The delivery that was made; see `/v1/webhook-deliveries/{id}`."""

    delivery_id: str


class Since(domain.Strict):
    """From when on to send again what was not delivered."""

    since: Annotated[moments.Moment, pydantic.Field(strict=False, examples=["2026-07-25T00:00:00Z"])]


class Replayed(pydantic.BaseModel):
    """How many deliveries were made due again; call again if it is the most one call does."""

    deliveries: int
    at_most: int = services.REPLAY_CAP


class RawRequest(domain.Strict):
    """A request as it reached you: its headers, and its body exactly as it came."""

    headers: Annotated[dict[str, str], pydantic.Field(max_length=200)]
    body: Annotated[str, pydantic.Field(max_length=100_000)]


class FindingShown(pydantic.BaseModel):
    """What is wrong with one part."""

    part: verification.Part
    message: str


class Verification(pydantic.BaseModel):
    """Whether the request verifies, and what is wrong if not."""

    valid: bool
    findings: list[FindingShown]


@router.post(
    "/v1/webhook-receivers",
    status_code=201,
    operation_id="create_receiver",
    responses=errors.documented(400, 401, 409, 413, 415),
)
async def create_receiver(body: NewReceiver, caller: auth.Authenticated, given: parts.Given) -> Receiver:
    """Register a URL for events. It must be a public https URL."""
    named = tuple(body.events) if body.events is not None else None
    wish = services.Wish(body.url, body.description, named, body.headers, body.enabled)
    most, now = given.settings.max_receivers, clock.now()
    return Receiver.of(await services.create(given.db, given.keyring, given.guard, caller.tenant_id, wish, most, now))


@router.get("/v1/webhook-receivers", operation_id="list_receivers", responses=errors.documented(400, 401))
async def list_receivers(caller: auth.Authenticated, given: parts.Given) -> ReceiverList:
    """Your receivers, oldest first."""
    return ReceiverList(data=[Receiver.of(item) for item in await services.list_all(given.db, caller.tenant_id)])


@router.get(
    "/v1/webhook-receivers/{receiver_id}", operation_id="get_receiver", responses=errors.documented(400, 401, 404)
)
async def get_receiver(receiver_id: ReceiverId, caller: auth.Authenticated, given: parts.Given) -> Receiver:
    """A receiver and how it has been doing."""
    return Receiver.of(await services.get(given.db, caller.tenant_id, receiver_id))


@router.patch(
    "/v1/webhook-receivers/{receiver_id}",
    operation_id="change_receiver",
    responses=errors.documented(400, 401, 404, 413, 415),
)
async def change_receiver(
    receiver_id: ReceiverId, body: ReceiverChange, caller: auth.Authenticated, given: parts.Given
) -> Receiver:
    """Change some fields. `enabled: false` drops what waits for it; `enabled: true` forgets its failures."""
    wishes = {name: getattr(body, name) for name in body.model_fields_set}
    if wishes.get("events") is not None:
        wishes["events"] = tuple(wishes["events"])
    return Receiver.of(
        await services.change(given.db, given.keyring, given.guard, caller.tenant_id, receiver_id, wishes, clock.now())
    )


@router.delete(
    "/v1/webhook-receivers/{receiver_id}",
    status_code=204,
    operation_id="delete_receiver",
    responses=errors.documented(400, 401, 404),
)
async def delete_receiver(receiver_id: ReceiverId, caller: auth.Authenticated, given: parts.Given) -> None:
    """Delete it, with its secrets and its deliveries. The events stay in `/v1/events`."""
    await services.delete(given.db, caller.tenant_id, receiver_id, clock.now())


@router.post(
    "/v1/webhook-receivers/{receiver_id}/test",
    status_code=202,
    operation_id="test_receiver",
    responses=errors.documented(400, 401, 404),
)
async def test_receiver(receiver_id: ReceiverId, caller: auth.Authenticated, given: parts.Given) -> Sent:
    """Send it a `receiver.test` event, once and with a real signature, even if it is disabled."""
    delivery_id = await services.test(given.db, caller.tenant_id, receiver_id, clock.now())
    given.hints.give()
    return Sent(delivery_id=delivery_id)


@router.post(
    "/v1/webhook-receivers/{receiver_id}/replay",
    status_code=202,
    operation_id="replay_receiver",
    responses=errors.documented(400, 401, 404, 409, 413, 415),
)
async def replay_receiver(
    receiver_id: ReceiverId, body: Since, caller: auth.Authenticated, given: parts.Given
) -> Replayed:
    """Send again everything it did not get since then, each with the id it had."""
    number = await services.replay_lost(given.db, caller.tenant_id, receiver_id, body.since, clock.now())
    given.hints.give()
    return Replayed(deliveries=number)


@router.post(
    "/v1/webhook-receivers/{receiver_id}/verify",
    operation_id="verify_webhook",
    responses=errors.documented(400, 401, 404, 413, 415),
)
async def verify_webhook(
    receiver_id: ReceiverId, body: RawRequest, caller: auth.Authenticated, given: parts.Given
) -> Verification:
    """Find out why a request does not verify: which header is missing or old, or what happened to the body."""
    found = await services.verify(
        given.db, given.keyring, caller.tenant_id, receiver_id, body.headers, body.body.encode(), clock.now()
    )
    shown = [FindingShown(part=item.part, message=item.message) for item in found]
    return Verification(valid=not shown, findings=shown)
