"""`/api/v1/chat/completions`."""

from typing import Any

import fastapi
import orjson

from api import auth, bodies, chats, parts, routing
from api.openrouter import errors, providers
from shared import clock
from shared import errors as faults

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)


@router.post("/chat/completions")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """A chat: a text job that is waited for."""
    bodies.check_media_type(request)
    fields = _fields(await bodies.JsonRequest(request.scope, request.receive).json())
    voice = chats.Voice(
        lambda error: orjson.dumps(errors.envelope(error)),
        lambda error: orjson.dumps(_error_chunk(error, str(fields.get("model")))),
        "X-Generation-Id",
    )
    return await chats.answer(request, given, caller, fields, voice)


def _fields(sent: dict[str, Any]) -> dict[str, Any]:
    """With `models`, any fault of a model brings the next; `model` may then be left out."""
    fields = {name: value for name, value in sent.items() if name not in ("transforms", "cache_control")}
    fields.pop("debug", None)
    if fields.get("provider") is not None:
        fields["provider"] = providers.translated(fields["provider"])
    if fields.get("models"):
        fields.setdefault("model", fields["models"][0])
        fields.setdefault("fallback_on", ["content_policy", "invalid_input"])
    return fields


def _error_chunk(error: faults.GenqueueError, model: str) -> dict[str, Any]:
    """A failure within a stream is a chunk there, with an error beside its choices."""
    return {
        "id": "error",
        "object": "chat.completion.chunk",
        "created": int(clock.now().timestamp()),
        "model": model,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "error"}],
        **errors.envelope(error),
    }
