"""`POST /callbacks/{token}`: providers tell us that something has happened. Public; the token is the key."""

from typing import Literal

import fastapi
import pydantic

from api import errors, parts, routing
from shared import clock
from shared import errors as faults
from shared.services import callbacks

LONGEST_BODY_BYTES = 256 * 1024

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["operations"])


class Heard(pydantic.BaseModel):
    """The call was heard; what comes of it is nobody's business but ours."""

    status: Literal["ok"] = "ok"


@router.post("/callbacks/{token}", operation_id="call_back", status_code=202, responses=errors.documented(404))
async def call_back(token: str, request: fastapi.Request, given: parts.Given) -> Heard:
    """For providers, at the URL they were given with an attempt. Makes its job due for a poll, now; may be repeated."""
    attempt_id = given.callbacks.attempt_of(token)
    if attempt_id is None:
        raise faults.NotFoundError
    call = callbacks.Call({name.lower(): value for name, value in request.headers.items()}, await _raw(request))
    effect = await callbacks.called(given.db, given.callback_secrets, attempt_id, call, clock.now())
    if effect is not callbacks.Effect.NOTHING:
        given.hints.give()
    return Heard()


async def _raw(request: fastapi.Request) -> bytes:
    """What was sent, if it is of a sane size; else nothing."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LONGEST_BODY_BYTES:
            return b""
    return bytes(read)
