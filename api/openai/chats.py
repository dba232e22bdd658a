"""`/openai/v1/chat/completions`."""

import fastapi
import orjson

from api import auth, bodies, chats, parts, routing
from api import errors as api_errors
from api.openai import errors
from shared import errors as faults

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)


@router.post("/chat/completions")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """A chat: a text job that is waited for."""
    bodies.check_media_type(request)
    fields = await bodies.JsonRequest(request.scope, request.receive).json()
    request_id = api_errors.request_id(request.scope)

    def failed(error: faults.GenqueueError) -> bytes:
        return orjson.dumps(errors.envelope(error, request_id))

    return await chats.answer(request, given, caller, fields, chats.Voice(failed, failed))
