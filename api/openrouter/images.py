"""`/api/v1/images`: an image job inside; the answer waits for it."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import fastapi
import orjson

from api import accepting, auth, bodies, chats, forms, held, idempotency, parts, routing
from api.openrouter import errors, picture_sizes, providers
from shared import errors as faults
from shared.domain import outputs, requests, states
from shared.services import jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

_SAME = (
    "model",
    "models",
    "prompt",
    "n",
    "seed",
    "input_references",
    "metadata",
    "priority",
    "on_doubt",
    "fallback_on",
)
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "quality": ("auto",),
    "background": ("auto", "opaque"),
    "output_compression": (100,),
}
_IGNORED = ("user", "session_id", "trace", "stream")
_OTHER = ("size", "resolution", "aspect_ratio", "output_format", "provider", "deadline_seconds")


@router.post("/images")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Make pictures."""
    bodies.check_media_type(request)
    fields = await bodies.JsonRequest(request.scope, request.receive).json()
    image = _request(given, fields)
    key = idempotency.for_body(request, requests.store(image))
    receipt = await accepting.accept(given, caller, states.Kind.IMAGE, image, key)
    form = _streamed(given) if fields.get("stream") is True else _whole(given)
    return await held.answer(held.Wait(given, caller.tenant_id, receipt.job.id), form)


def _request(given: parts.Parts, fields: Mapping[str, Any]) -> requests.ImageRequest:
    forms.refuse_unknown(fields, (*_SAME, *_NEUTRAL, *_IGNORED, *_OTHER))
    forms.refuse_unless_neutral(fields, _NEUTRAL)
    wanted = {name: fields[name] for name in _SAME if fields.get(name) is not None}
    wanted["deadline_seconds"] = fields.get("deadline_seconds") or given.settings.held_answer_seconds
    if fields.get("output_format") is not None:
        wanted["format"] = fields["output_format"]
    if fields.get("provider") is not None:
        wanted["provider"] = providers.translated(fields["provider"])
    size = picture_sizes.chosen(given.catalog.models.get(str(fields.get("model"))), fields)
    if size is not None:
        wanted["size"] = size
    return forms.parse(requests.ImageRequest, wanted)


def _whole(given: parts.Parts) -> held.Form:
    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        data = [await _picture(given, made) for made in _mains(view)]
        yield orjson.dumps({"created": _created(view), "data": data, "usage": chats.usage(view) | {"is_byok": False}})

    return held.Form("application/json", b" ", body, _failed, "X-Generation-Id")


def _streamed(given: parts.Parts) -> held.Form:
    """A `completed` event for each picture; there are no partial ones."""

    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        for made in _mains(view):
            head = {"type": "image_generation.completed", "created": _created(view), "usage": chats.usage(view)}
            yield chats.event(orjson.dumps(head | await _picture(given, made)))
        yield chats.DONE

    return held.Form("text/event-stream", chats.KEEP_ALIVE, body, _failed_event, "X-Generation-Id")


async def _picture(given: parts.Parts, made: outputs.Output) -> dict[str, str]:
    encoded = base64.b64encode(await output_services.read(given.store, made)).decode()
    return {"b64_json": encoded, "media_type": made.media_type}


def _mains(view: jobs.JobView) -> list[outputs.Output]:
    return [output for output in view.outputs if output.variant is outputs.Variant.MAIN]


def _created(view: jobs.JobView) -> int:
    return int(view.job.created_at.timestamp())


def _failed(error: faults.GenqueueError) -> bytes:
    return orjson.dumps(errors.envelope(error))


def _failed_event(error: faults.GenqueueError) -> bytes:
    told = {"message": error.message, "code": str(error.code), "type": errors.metadata(error)["error_type"]}
    return chats.event(orjson.dumps({"type": "error", "error": told}))
