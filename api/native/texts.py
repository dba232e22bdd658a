"""`POST /v1/texts`."""

from typing import Annotated

import fastapi

from api import auth, idempotency, parts, routing
from api.native import answers, submissions
from shared.domain import requests, states

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["submit"])

_Body = Annotated[
    requests.TextRequest,
    fastapi.Body(
        openapi_examples={
            "prompt": {
                "summary": "A single turn",
                "value": {"model": "sandbox/text", "prompt": "Name three rivers"},
            },
            "schema": {
                "summary": "A conversation whose answer must fit a JSON schema",
                "value": {
                    "model": "sandbox/text",
                    "messages": [{"role": "user", "content": "Name three rivers"}],
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {
                            "name": "rivers",
                            "schema": {
                                "type": "object",
                                "properties": {"rivers": {"type": "array", "items": {"type": "string"}}},
                                "required": ["rivers"],
                            },
                        },
                    },
                },
            },
        }
    ),
]


@router.post("/v1/texts", status_code=202, operation_id="create_text", responses=submissions.RESPONSES)
async def create_text(
    body: _Body,
    caller: auth.Submitter,
    key: idempotency.Keyed,
    given: parts.Given,
    response: fastapi.Response,
) -> answers.Accepted:
    """Store a text job and answer at once. Send `prompt` or `messages`."""
    return await submissions.submit(given, caller, states.Kind.TEXT, body, key, response)
