"""`/openai/v1/videos`."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import fastapi

from api import accepting, auth, downloads, forms, held, idempotency, parts, routing
from api.openai import references, video_answers
from shared import clock, errors
from shared.domain import listings, models, outputs, requests, states
from shared.services import acceptance, jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)

DEFAULT_MODEL = "sora-2"
HELD_POLL_SECONDS = 20.0
# Held polls cost a task each; beyond so many, a poll is answered after a second.
MOST_HELD_POLLS = 500
CROWDED_SECONDS = 1.0
CANCEL_SECONDS = 15.0

_OWN = frozenset(requests.VideoRequest.model_fields) - {"duration", "frame_images", "input_references"}
_KNOWN = (*_OWN, "seconds", "input_reference")
_VARIANTS = {
    "video": outputs.Variant.MAIN,
    "thumbnail": outputs.Variant.THUMBNAIL,
    "spritesheet": outputs.Variant.SPRITESHEET,
}
_held_polls = asyncio.Semaphore(MOST_HELD_POLLS)


@router.post("/videos")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Make a video. A form or JSON; the fields of our own `POST /v1/videos` are taken as well."""
    fields = await forms.read(request)
    forms.refuse_unknown(fields, _KNOWN)
    wanted = {name: value for name, value in fields.items() if name in _OWN}
    wanted.setdefault("model", DEFAULT_MODEL)
    if fields.get("seconds") is not None:
        wanted["duration"] = fields["seconds"]
    if fields.get("input_reference") is not None:
        url = await references.url_of(given, caller, fields["input_reference"], "input_reference")
        wanted |= _pictured(given.catalog.models.get(str(wanted["model"])), url)
    video = forms.parse(requests.VideoRequest, wanted, strict=False)
    key = idempotency.for_body(request, requests.store(video))
    receipt = await accepting.accept(given, caller, states.Kind.VIDEO, video, key)
    return await _accepted(given, caller, receipt)


def _pictured(model: models.Model | None, url: str) -> dict[str, Any]:
    """The reference is the first frame where the model can begin with one, else something to resemble."""
    picture = {"type": "image_url", "image_url": {"url": url}}
    if model is not None and "frame_images" in model.parameters:
        return {"frame_images": [picture | {"frame_type": "first_frame"}]}
    return {"input_references": [picture]}


@router.post("/videos/{video_id}/remix")
async def remix(request: fastapi.Request, video_id: str, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """The same request once more with another prompt. The old video itself is not sent to the provider."""
    fields = await forms.read(request)
    forms.refuse_unknown(fields, ("prompt",))
    before = await _find(given, caller, video_id)
    if before.job.status is not states.JobStatus.COMPLETED:
        raise errors.ConflictError(f"The video is {before.job.status}; only a completed one can be remixed.")
    wanted = {**(before.request or {}), "prompt": fields.get("prompt")}
    video = forms.parse(requests.VideoRequest, wanted, strict=False)
    key = idempotency.for_body(request, requests.store(video))
    receipt = await accepting.accept(given, caller, states.Kind.VIDEO, video, key, rerun_of=before.job.id)
    return await _accepted(given, caller, receipt)


async def _accepted(given: parts.Parts, caller: auth.Caller, receipt: acceptance.Receipt) -> dict[str, Any]:
    view = await jobs.get(given.db, caller.tenant_id, receipt.job.id, with_request=True)
    return video_answers.of_view(given.catalog, view)


@router.get("/videos")
async def list_videos(
    caller: auth.Authenticated,
    given: parts.Given,
    after: str | None = None,
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """Your videos."""
    wanted = listings.JobFilter(kind=states.Kind.VIDEO, deleted=False, oldest_first=order == "asc")
    page = await jobs.list_page(given.db, caller.tenant_id, wanted, after, limit, with_requests=True)
    data = [video_answers.of_listed(given.catalog, item) for item in page.listed]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": page.next_cursor is not None,
    }


@router.post("/videos/edits")
@router.post("/videos/extensions")
@router.post("/videos/characters")
async def refuse(_caller: auth.Submitter) -> None:
    """What no provider here offers is refused by name."""
    raise errors.UnsupportedValueError(
        "Videos are neither edited nor extended here, and have no characters; make a new one, or a remix.",
        param="video",
    )


@router.get("/videos/{video_id}")
async def retrieve(
    request: fastapi.Request,
    video_id: str,
    caller: auth.Authenticated,
    given: parts.Given,
    response: fastapi.Response,
) -> dict[str, Any]:
    """A video as it is now. The client's own poll loop (`create_and_poll`) is held until the end of the job."""
    view = await _find(given, caller, video_id)
    holds = request.headers.get("x-stainless-poll-helper") == "true"
    if holds and view.job.status in states.ACTIVE:
        await _hold(held.Wait(given, caller.tenant_id, video_id))
        view = await _find(given, caller, video_id)
    if view.job.status in states.ACTIVE:
        # That client keeps the first value it meets for its whole loop.
        model = given.catalog.models.get(view.job.model)
        response.headers["openai-poll-after-ms"] = "0" if holds else str(_poll_milliseconds(model))
    return video_answers.of_view(given.catalog, view)


async def _hold(wait: held.Wait) -> None:
    if _held_polls.locked():
        await wait.over(CROWDED_SECONDS)
        return
    async with _held_polls:
        await wait.over(HELD_POLL_SECONDS)


def _poll_milliseconds(model: models.Model | None) -> int:
    """A tenth of the usual time, between half a second and five."""
    usual_seconds = model.usual_seconds if model else 10.0
    return round(min(max(usual_seconds * 100, 500), 5000))


@router.delete("/videos/{video_id}")
async def delete(video_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Delete a video's files for good; one that is not finished is cancelled first, and truthfully."""
    view = await _find(given, caller, video_id)
    if view.job.status in states.ACTIVE:
        await _cancel(held.Wait(given, caller.tenant_id, video_id), clock.now())
    await jobs.delete(given.db, given.store, caller.tenant_id, video_id, clock.now())
    return {"id": video_id, "object": "video.deleted", "deleted": True}


async def _cancel(wait: held.Wait, now: datetime) -> None:
    view = await jobs.request_cancel(wait.given.db, wait.tenant_id, wait.job_id, now)
    wait.given.hints.give()
    wait.given.news.tell(wait.job_id, wait.tenant_id)
    if view.job.status in states.ACTIVE and not await wait.over(CANCEL_SECONDS):
        raise errors.ConflictError("The provider was asked to stop and has not answered; delete the video again later.")


@router.get("/videos/{video_id}/content")
async def content(
    request: fastapi.Request,
    video_id: str,
    caller: auth.Authenticated,
    given: parts.Given,
    variant: Literal["video", "thumbnail", "spritesheet"] = "video",
) -> fastapi.Response:
    """The bytes, by a redirect or through us, as deployed."""
    output = await output_services.find(given.db, caller.tenant_id, video_id, 0, _VARIANTS[variant], clock.now())
    return await downloads.send(request, given, output)


async def _find(given: parts.Parts, caller: auth.Caller, video_id: str) -> jobs.JobView:
    view = await jobs.get(given.db, caller.tenant_id, video_id, with_request=True)
    if view.job.kind is not states.Kind.VIDEO or view.job.deleted_at is not None:
        raise errors.NotFoundError(f"Video with id '{video_id[:64]}' not found.", param="video_id")
    return view
