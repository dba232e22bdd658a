"""`POST /v1/images`."""

from typing import Annotated

import fastapi

from api import auth, idempotency, parts, routing
from api.native import answers, submissions
from shared.domain import requests, states

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["submit"])

_Body = Annotated[
    requests.ImageRequest,
    fastapi.Body(
        openapi_examples={
            "short": {
                "summary": "The least that is needed",
                "value": {"model": "sandbox/image", "prompt": "A lighthouse in fog"},
            },
            "full": {
                "summary": "Two pictures of one size",
                "value": {"model": "sandbox/image", "prompt": "A lighthouse in fog", "size": "1024x1024", "n": 2},
            },
        }
    ),
]


@router.post("/v1/images", status_code=202, operation_id="create_image", responses=submissions.RESPONSES)
async def create_image(
    body: _Body,
    caller: auth.Submitter,
    key: idempotency.Keyed,
    given: parts.Given,
    response: fastapi.Response,
) -> answers.Accepted:
    """Store an image job and answer at once."""
    return await submissions.submit(given, caller, states.Kind.IMAGE, body, key, response)
