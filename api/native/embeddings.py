"""`POST /v1/embeddings`."""

from typing import Annotated

import fastapi

from api import auth, idempotency, parts, routing
from api.native import answers, submissions
from shared.domain import requests, states

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["submit"])

_EXAMPLE = {"model": "sandbox/embedding", "input": ["A heron", "A crane"]}
_Body = Annotated[
    requests.EmbeddingRequest,
    fastapi.Body(openapi_examples={"texts": {"summary": "A vector for each text", "value": _EXAMPLE}}),
]


@router.post("/v1/embeddings", status_code=202, operation_id="create_embedding", responses=submissions.RESPONSES)
async def create_embedding(
    body: _Body,
    caller: auth.Submitter,
    key: idempotency.Keyed,
    given: parts.Given,
    response: fastapi.Response,
) -> answers.Accepted:
    """Store an embedding job and answer at once. Its output is a JSON array with one vector for each text."""
    return await submissions.submit(given, caller, states.Kind.EMBEDDING, body, key, response)
