"""Receivers, what was sent to them, and why a signature does not verify."""

import fastapi
import pydantic

from api import auth, parts
from api.dashboard import pages
from api.native import deliveries as delivery_routes
from api.native import receivers as receiver_routes
from shared import clock, errors
from shared.domain import deliveries as domain
from shared.domain import events
from shared.services import deliveries, receivers

PAGE = 30
_NOTHING_TYPED = {"headers": "", "body": ""}

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/webhooks")
async def list_all(
    request: fastapi.Request,
    caller: auth.Authenticated,
    given: parts.Given,
    receiver: str = "",
    status: str = "",
    cursor: str | None = None,
) -> fastapi.Response:
    """The receivers, and the newest deliveries."""
    wanted = deliveries.Filter(
        receiver_id=receiver or None,
        statuses=frozenset({domain.DeliveryStatus(status)} if status in set(domain.DeliveryStatus) else ()),
    )
    page = await deliveries.list_page(given.db, caller.tenant_id, wanted, cursor, PAGE)
    return pages.show(
        request,
        "webhooks.html",
        receivers=await receivers.list_all(given.db, caller.tenant_id),
        page=page,
        events=sorted(events.SUBSCRIBABLE),
        statuses=list(domain.DeliveryStatus),
        receiver=receiver,
        chosen=status,
        told="The receiver is deleted." if "deleted" in request.query_params else "",
    )


@router.post("/webhooks")
async def create(request: fastapi.Request, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Register a receiver."""
    form = await request.form()
    named = [str(item) for item in form.getlist("events")]
    body = _parsed(str(form.get("url") or "").strip(), str(form.get("description") or ""), named)
    made = await receiver_routes.create_receiver(body, caller, given)
    return pages.go(f"/webhooks/{made.id}")


def _parsed(url: str, description: str, named: list[str]) -> receiver_routes.NewReceiver:
    fields = {"url": url, "description": description, "events": named or None}
    try:
        return receiver_routes.NewReceiver.model_validate(fields)
    except pydantic.ValidationError as error:
        raise errors.InvalidRequestError(str(error.errors()[0]["msg"]), param="url") from None


@router.get("/webhooks/{receiver_id}")
async def one(
    request: fastapi.Request, receiver_id: str, caller: auth.Authenticated, given: parts.Given
) -> fastapi.Response:
    """One receiver: how it does, and the checker of signatures."""
    found = await receivers.get(given.db, caller.tenant_id, receiver_id)
    wanted = deliveries.Filter(receiver_id=receiver_id)
    page = await deliveries.list_page(given.db, caller.tenant_id, wanted, None, PAGE)
    return pages.show(request, "receiver.html", receiver=found, page=page, findings=None, typed=_NOTHING_TYPED)


@router.post("/webhooks/{receiver_id}/verify")
async def verify(
    request: fastapi.Request, receiver_id: str, caller: auth.Authenticated, given: parts.Given
) -> fastapi.Response:
    """Say which part of a request does not verify."""
    form = await request.form()
    typed = {name: str(form.get(name) or "") for name in _NOTHING_TYPED}
    pairs = (line.partition(":") for line in typed["headers"].splitlines() if ":" in line)
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    found = await receivers.get(given.db, caller.tenant_id, receiver_id)
    body = typed["body"].replace("\r\n", "\n").encode()
    findings = await receivers.verify(
        given.db, given.keyring, caller.tenant_id, receiver_id, headers, body, clock.now()
    )
    page = await deliveries.list_page(
        given.db, caller.tenant_id, deliveries.Filter(receiver_id=receiver_id), None, PAGE
    )
    return pages.show(request, "receiver.html", receiver=found, page=page, findings=findings, typed=typed)


@router.post("/webhooks/{receiver_id}/test")
async def test(receiver_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Send it a test, and go on to what came of it."""
    sent = await receiver_routes.test_receiver(receiver_id, caller, given)
    return pages.go(f"/deliveries/{sent.delivery_id}")


@router.post("/webhooks/{receiver_id}/enable")
async def enable(receiver_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Switch it on."""
    return await _switch(receiver_id, caller, given, enabled=True)


@router.post("/webhooks/{receiver_id}/disable")
async def disable(receiver_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Switch it off; what waits for it is dropped."""
    return await _switch(receiver_id, caller, given, enabled=False)


async def _switch(receiver_id: str, caller: auth.Caller, given: parts.Parts, *, enabled: bool) -> fastapi.Response:
    change = receiver_routes.ReceiverChange(enabled=enabled)
    await receiver_routes.change_receiver(receiver_id, change, caller, given)
    return pages.go(f"/webhooks/{receiver_id}")


@router.post("/webhooks/{receiver_id}/delete")
async def delete(receiver_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Delete it with its secrets and its log."""
    await receiver_routes.delete_receiver(receiver_id, caller, given)
    return pages.go("/webhooks?deleted")


@router.get("/deliveries/{delivery_id}")
async def delivery(
    request: fastapi.Request, delivery_id: str, caller: auth.Authenticated, given: parts.Given
) -> fastapi.Response:
    """One delivery with every try and what was answered."""
    found, made = await deliveries.get(given.db, caller.tenant_id, delivery_id)
    return pages.show(request, "delivery.html", delivery=found, tries=made)


@router.post("/deliveries/{delivery_id}/replay")
async def replay(delivery_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Send it again, with the same id."""
    await delivery_routes.replay_delivery(delivery_id, caller, given)
    return pages.go(f"/deliveries/{delivery_id}")
