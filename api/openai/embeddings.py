"""`/openai/v1/embeddings`."""

import array
import base64
from collections.abc import AsyncIterator
from typing import Any

import fastapi
import orjson

from api import accepting, auth, bodies, chats, forms, held, idempotency, parts, routing
from api import errors as api_errors
from api.openai import errors
from shared import errors as faults
from shared.domain import requests, states, vectors
from shared.services import jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)

_OWN = tuple(requests.EmbeddingRequest.model_fields)
# Their client asks for base64 by itself, and gives its caller numbers.
_FORMATS = ("float", "base64")


@router.post("/embeddings")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """A vector for each text: a job that is waited for."""
    bodies.check_media_type(request)
    fields = await request.json()
    form = fields.get("encoding_format") or "float"
    if form not in _FORMATS:
        raise faults.UnsupportedValueError(
            "Vectors do not come in this format.", param="encoding_format", accepted=_FORMATS
        )
    asked = _asked(fields, given.settings.held_answer_seconds)
    key = idempotency.for_body(request, requests.store(asked))
    receipt = await accepting.accept(given, caller, states.Kind.EMBEDDING, asked, key)
    request_id = api_errors.request_id(request.scope)

    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        found = vectors.load(await output_services.read_text(given.store, view.outputs))
        yield orjson.dumps(_answer(view, found, packed=form == "base64"))

    written = held.Form("application/json", b" ", body, lambda error: orjson.dumps(errors.envelope(error, request_id)))
    return await held.answer(held.Wait(given, caller.tenant_id, receipt.job.id), written)


def _asked(fields: dict[str, Any], deadline_seconds: int) -> requests.EmbeddingRequest:
    forms.refuse_unknown(fields, (*_OWN, "encoding_format", "user"))
    wanted = {name: fields[name] for name in _OWN if fields.get(name) is not None}
    if isinstance(wanted.get("input"), str):
        wanted["input"] = [wanted["input"]]
    if isinstance(wanted.get("input"), list) and not all(isinstance(text, str) for text in wanted["input"]):
        raise faults.UnsupportedValueError("Send texts; tokens are not taken here.", param="input", accepted=["string"])
    return forms.parse(requests.EmbeddingRequest, {"deadline_seconds": deadline_seconds} | wanted)


def _answer(view: jobs.JobView, found: vectors.Vectors, *, packed: bool) -> dict[str, Any]:
    used = chats.usage(view)
    data = [
        {"object": "embedding", "index": place, "embedding": _packed(vector) if packed else vector}
        for place, vector in enumerate(found)
    ]
    return {
        "object": "list",
        "data": data,
        "model": view.job.served_model or view.job.model,
        "usage": {"prompt_tokens": used["prompt_tokens"], "total_tokens": used["total_tokens"], "cost": used["cost"]},
    }


def _packed(vector: object) -> str:
    """Little-endian 32-bit floats, as numpy reads them."""
    numbers = array.array("f", vector)  # type: ignore[call-overload]
    return base64.b64encode(numbers.tobytes()).decode()
