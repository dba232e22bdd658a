"""`/v1/events`, and the course of one job as server-sent events."""

import functools
from typing import Annotated, Any

import fastapi
import orjson
import pydantic
from fastapi import responses

from api import auth, errors, parts, routing, streams
from api.native import batches, jobs
from shared import errors as faults
from shared import ids
from shared.domain import events

LONGEST_WAIT_SECONDS = 60

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["events"])
_LAST_EVENT_ID = fastapi.Header(alias="Last-Event-ID", description="Go on after this event")
# Of one event, as its fields are named on the wire.
_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream: each event has `id`, `event` and `data`, the same JSON that webhooks carry",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    204: {"description": "It is over and you have every event"},
    **errors.documented(400, 401, 404),
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Event(pydantic.BaseModel):
    """What happened, as webhooks tell it, with the id that they carry as `webhook-id`."""

    id: str
    type: events.EventType
    timestamp: str
    data: dict[str, Any]


class EventPage(pydantic.BaseModel):
    """Some events, oldest first. Go on with `after=next_cursor`, also when there were none."""

    data: list[Event]
    has_more: bool
    next_cursor: str | None


@router.get("/v1/events", operation_id="list_events", responses=errors.documented(400, 401, 410))
async def list_events(
    caller: auth.Authenticated,
    given: parts.Given,
    after: Annotated[str | None, fastapi.Query(description="`next_cursor` of the page before")] = None,
    event: Annotated[list[events.EventType], fastapi.Query(description="Only these; may be repeated")] = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 50,
    wait: Annotated[int, fastapi.Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Hold an empty answer")] = 0,
) -> EventPage:
    """Everything that happened, in an order that skips nothing: whoever reads on from the last cursor sees every
    event once. Kept for 30 days, unless this deployment says otherwise.
    """
    if after is not None and not ids.is_valid(ids.Prefix.EVENT, after):
        raise faults.InvalidRequestError("Send the `next_cursor` of a page as it is.", param="after")
    page = await given.followers.feed(caller.tenant_id, after, frozenset(event), limit, wait)
    return EventPage(
        data=[Event(id=item.id, **orjson.loads(item.body)) for item in page.events],
        has_more=page.has_more,
        next_cursor=page.next_cursor,
    )


@router.get(
    "/v1/jobs/{job_id}/events",
    operation_id="follow_job",
    responses=_RESPONSES,
    response_class=responses.StreamingResponse,
)
async def follow_job(
    job_id: jobs.JobId,
    caller: auth.Authenticated,
    given: parts.Given,
    last_event_id: Annotated[str | None, _LAST_EVENT_ID] = None,
) -> fastapi.Response:
    """The job's events as they happen, from its first or after `Last-Event-ID`, until it is over."""
    return await _course(given, caller.tenant_id, job_id, last_event_id, events.JOB_ENDS)


@router.get(
    "/v1/batches/{batch_id}/events",
    operation_id="follow_batch",
    responses=_RESPONSES,
    response_class=responses.StreamingResponse,
)
async def follow_batch(
    batch_id: batches.BatchId,
    caller: auth.Authenticated,
    given: parts.Given,
    last_event_id: Annotated[str | None, _LAST_EVENT_ID] = None,
) -> fastapi.Response:
    """The batch's events as they happen, from its first or after `Last-Event-ID`, until it is over. Its rows have no
    events of their own here.
    """
    return await _course(given, caller.tenant_id, batch_id, last_event_id, events.BATCH_ENDS)


async def _course(
    given: parts.Parts, tenant_id: str, subject_id: str, last_event_id: str | None, ends: frozenset[events.EventType]
) -> fastapi.Response:
    start = await given.followers.start_of(tenant_id, subject_id, last_event_id)
    if start is None:
        return fastapi.Response(status_code=204)  # tells an EventSource not to come back
    followed = given.followers.follow(tenant_id, subject_id, start, ends)
    return streams.Stream(b"retry: 2000\n\n", followed, written, _HEADERS, "text/event-stream")


@functools.lru_cache(maxsize=256)
def written(event: events.Event | None) -> bytes:
    """An event in the format of server-sent events; a comment when there was none for a while."""
    # Remembered: all who follow a job are sent the same.
    return (
        b": still here\n\n"
        if event is None
        else f"id: {event.id}\nevent: {event.type}\ndata: {event.body}\n\n".encode()
    )
