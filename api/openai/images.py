"""`/openai/v1/images`: an image job inside; the answer waits for it."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import fastapi
import orjson

from api import accepting, auth, chats, downloads, forms, held, idempotency, parts, routing
from api import errors as api_errors
from api.openai import errors, references
from shared import errors as faults
from shared.domain import outputs, requests, states
from shared.services import jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)

DEFAULT_MODEL = "gpt-image-1"
KEEP_ALIVE = b": still working\n\n"

_SAME = ("model", "models", "prompt", "n", "seed", "metadata", "provider", "priority", "on_doubt", "fallback_on")
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "quality": ("auto", "standard"),
    "background": ("auto", "opaque"),
    "moderation": ("auto",),
    "output_compression": (100, "100"),
    "input_fidelity": ("low",),
    "style": (),
    "mask": (),
}
_IGNORED = ("user", "safety_identifier", "partial_images")
_KNOWN = (
    *_SAME,
    *_NEUTRAL,
    *_IGNORED,
    "size",
    "output_format",
    "response_format",
    "stream",
    "image",
    "deadline_seconds",
)


@router.post("/images/generations")
async def generate(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Make pictures."""
    fields = await forms.read(request)
    if "image" in fields:
        raise faults.UnknownFieldError("Send pictures to /images/edits.", param="image")
    return await _answer(request, given, caller, fields, "image_generation")


@router.post("/images/edits")
async def edit(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Make pictures from pictures: they go along as input references."""
    fields = await forms.read(request)
    given_pictures = forms.listed(fields.get("image") or fields.pop("images", None))
    if not given_pictures:
        raise faults.MissingFieldError("image is missing.", param="image")
    urls = [await references.url_of(given, caller, picture, "image") for picture in given_pictures]
    wanted = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return await _answer(request, given, caller, fields, "image_edit", wanted)


async def _answer(
    request: fastapi.Request,
    given: parts.Parts,
    caller: auth.Caller,
    fields: dict[str, Any],
    event: str,
    references_wanted: Sequence[dict[str, Any]] = (),
) -> fastapi.Response:
    image = _image(fields, references_wanted, given.settings.held_answer_seconds)
    shape = _shape(fields)
    key = idempotency.for_body(request, [requests.store(image), shape])
    receipt = await accepting.accept(given, caller, states.Kind.IMAGE, image, key)
    wait = held.Wait(given, caller.tenant_id, receipt.job.id)
    writer = _Writer(given, api_errors.request_id(request.scope), shape)
    streamed = fields.get("stream") in (True, "true")
    return await held.answer(wait, writer.events(event) if streamed else writer.whole())


def _image(
    fields: Mapping[str, Any], references_wanted: Sequence[dict[str, Any]], deadline_seconds: int
) -> requests.ImageRequest:
    forms.refuse_unknown(fields, _KNOWN)
    forms.refuse_unless_neutral(fields, _NEUTRAL)
    wanted = {name: fields[name] for name in _SAME if fields.get(name) is not None}
    wanted.setdefault("model", DEFAULT_MODEL)
    wanted["deadline_seconds"] = fields.get("deadline_seconds") or deadline_seconds
    if fields.get("size") not in (None, "auto"):
        wanted["size"] = fields["size"]
    if fields.get("output_format") is not None:
        wanted["format"] = fields["output_format"]
    if references_wanted:
        wanted["input_references"] = references_wanted
    return forms.parse(requests.ImageRequest, wanted, strict=False)


def _shape(fields: Mapping[str, Any]) -> str:
    shape = fields.get("response_format") or "b64_json"
    if shape not in ("b64_json", "url"):
        raise faults.UnsupportedValueError(
            "response_format is b64_json or url.", param="response_format", accepted=["b64_json", "url"]
        )
    return str(shape)


class _Writer:
    """Writes the pictures of a job, as bytes or as signed URLs."""

    def __init__(self, given: parts.Parts, request_id: str, shape: str) -> None:
        self._given = given
        self._request_id = request_id
        self._shape = shape

    def whole(self) -> held.Form:
        async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
            yield orjson.dumps(_head(view) | {"data": [await self._picture(made) for made in _mains(view)]})

        return held.Form("application/json", b" ", body, self._failed)

    def events(self, event: str) -> held.Form:
        """One `completed` event a picture: fewer partial pictures than asked for are legal, and there are none."""

        async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
            for made in _mains(view):
                encoded = orjson.dumps(_event(view, event) | {"b64_json": await self._encoded(made)})
                yield f"event: {event}.completed\ndata: ".encode() + encoded + b"\n\n"

        failed = self._failed
        return held.Form("text/event-stream", KEEP_ALIVE, body, lambda error: b"data: " + failed(error) + b"\n\n")

    async def _picture(self, made: outputs.Output) -> dict[str, Any]:
        if self._shape == "b64_json":
            return {"b64_json": await self._encoded(made)}
        seconds = self._given.settings.signed_url_seconds
        return {"url": await self._given.store.sign(made.key, seconds, downloads.filename(made), made.media_type)}

    async def _encoded(self, made: outputs.Output) -> str:
        return base64.b64encode(await output_services.read(self._given.store, made)).decode()

    def _failed(self, error: faults.GenqueueError) -> bytes:
        return orjson.dumps(errors.envelope(error, self._request_id))


def _mains(view: jobs.JobView) -> list[outputs.Output]:
    return [output for output in view.outputs if output.variant is outputs.Variant.MAIN]


def _head(view: jobs.JobView) -> dict[str, Any]:
    first = _mains(view)[0]
    return {
        "created": int(view.job.created_at.timestamp()),
        "size": f"{first.width}x{first.height}",
        "output_format": first.media_type.removeprefix("image/"),
        "job_id": view.job.id,
        "model": view.job.served_model,
        "cost_micros": view.job.cost_micros,
    }


def _event(view: jobs.JobView, event: str) -> dict[str, Any]:
    used = chats.tokens(view)
    return _head(view) | {
        "type": f"{event}.completed",
        "created_at": int(view.job.created_at.timestamp()),
        "quality": "auto",
        "background": "auto",
        "usage": {
            "input_tokens": used.input_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": used.input_tokens},
            "output_tokens": used.output_tokens,
            "total_tokens": used.input_tokens + used.output_tokens,
        },
    }
