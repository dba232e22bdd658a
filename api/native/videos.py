"""`POST /v1/videos`."""

from typing import Annotated

import fastapi

from api import auth, idempotency, parts, routing
from api.native import answers, submissions
from shared.domain import requests, states

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["submit"])

_Body = Annotated[
    requests.VideoRequest,
    fastapi.Body(
        openapi_examples={
            "short": {
                "summary": "The least that is needed",
                "value": {"model": "sandbox/video", "prompt": "A paper boat on a rainy street"},
            },
            "full": {
                "summary": "With a form, a fallback and metadata",
                "value": {
                    "model": "sandbox/video",
                    "models": ["sandbox/video-slow"],
                    "prompt": "A paper boat on a rainy street",
                    "duration": 5,
                    "resolution": "720p",
                    "aspect_ratio": "16:9",
                    "metadata": {"order": "17"},
                },
            },
        }
    ),
]


@router.post("/v1/videos", status_code=202, operation_id="create_video", responses=submissions.RESPONSES)
async def create_video(
    body: _Body,
    caller: auth.Submitter,
    key: idempotency.Keyed,
    given: parts.Given,
    response: fastapi.Response,
) -> answers.Accepted:
    """Store a video job and answer at once. Give `resolution` and `aspect_ratio`, or `size`."""
    return await submissions.submit(given, caller, states.Kind.VIDEO, body, key, response)
