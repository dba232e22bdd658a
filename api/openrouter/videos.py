"""`/api/v1/videos`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import fastapi
from fastapi import responses

from api import accepting, auth, bodies, downloads, forms, idempotency, parts, routing
from api.openrouter import providers, video_answers
from shared import clock, errors
from shared.domain import outputs, requests, states
from shared.services import jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

_OWN = tuple(requests.VideoRequest.model_fields)
_IGNORED = ("user", "session_id", "trace")
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "previous_job_id": (),
    "upscale_factor": (),
    "creativity": (),
}


@router.post("/videos")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> responses.JSONResponse:
    """Make a video. Exactly 202: their client takes nothing else."""
    bodies.check_media_type(request)
    fields = await bodies.JsonRequest(request.scope, request.receive).json()
    video = _request(fields)
    key = idempotency.for_body(request, requests.store(video))
    receipt = await accepting.accept(given, caller, states.Kind.VIDEO, video, key)
    headers = {"X-Generation-Id": receipt.job.id}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    return responses.JSONResponse(video_answers.accepted(given, receipt.job), 202, headers)


def _request(fields: Mapping[str, Any]) -> requests.VideoRequest:
    forms.refuse_unknown(fields, (*_OWN, *_NEUTRAL, *_IGNORED, "callback_url"))
    forms.refuse_unless_neutral(fields, _NEUTRAL)
    wanted = {name: fields[name] for name in _OWN if fields.get(name) is not None}
    if "provider" in wanted:
        wanted["provider"] = providers.translated(wanted["provider"])
    if fields.get("callback_url") is not None:
        wanted |= {"webhook_url": fields["callback_url"], "webhook_format": "openrouter"}
    # With frames given, references count for nothing there.
    if wanted.get("frame_images"):
        wanted.pop("input_references", None)
    return forms.parse(requests.VideoRequest, wanted)


@router.get("/videos/{video_id}")
async def retrieve(video_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """A video as it is now."""
    return await video_answers.of_view(given, await _find(given, caller, video_id), clock.now())


@router.get("/videos/{video_id}/content")
async def content(
    request: fastapi.Request,
    video_id: str,
    caller: auth.Authenticated,
    given: parts.Given,
    index: Annotated[int, fastapi.Query(ge=0, le=9999)] = 0,
) -> fastapi.Response:
    """The bytes, by a redirect or through us. `application/octet-stream` for old clients that ask for it."""
    view = await _find(given, caller, video_id)
    available = sum(1 for output in view.outputs if output.variant is outputs.Variant.MAIN)
    if view.job.status is states.JobStatus.COMPLETED and index >= available:
        raise errors.InvalidRequestError(
            f"Video index {index} out of range ({available} videos available)", param="index"
        )
    output = await output_services.find(given.db, caller.tenant_id, video_id, index, outputs.Variant.MAIN, clock.now())
    if "application/octet-stream" in request.headers.get("accept", ""):
        output = replace(output, media_type="application/octet-stream")
    return await downloads.send(request, given, output)


async def _find(given: parts.Parts, caller: auth.Caller, video_id: str) -> jobs.JobView:
    message = f"Job {video_id[:64]} not found"
    try:
        view = await jobs.get(given.db, caller.tenant_id, video_id)
    except errors.NotFoundError:
        raise errors.NotFoundError(message) from None
    if view.job.kind is not states.Kind.VIDEO:
        raise errors.NotFoundError(message)
    return view
