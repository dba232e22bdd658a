"""`/v1/jobs/{id}/outputs/{n}`: a signed URL, or the bytes themselves."""

import re
from typing import Annotated, Any

import fastapi

from api import auth, downloads, errors, parts, routing
from api.native import jobs
from shared import clock
from shared import errors as faults
from shared.domain import outputs
from shared.services import outputs as output_services

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["outputs"])

_NUMBER = re.compile(r"\d{1,4}")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes (`stream=true`)", "content": {"application/octet-stream": _BYTES}},
    206: {"description": "The range of bytes asked for", "content": {"application/octet-stream": _BYTES}},
    302: {
        "description": "Where the bytes are, for a while; the URL needs no key, so treat it as one",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    },
    304: {"description": "The bytes are those you have (`If-None-Match`)"},
    **errors.documented(400, 401, 404, 409, 410, 416),
}


@router.head("/v1/jobs/{job_id}/outputs/{number}", include_in_schema=False)
@router.get(
    "/v1/jobs/{job_id}/outputs/{number}",
    operation_id="get_output",
    responses=_RESPONSES,
    response_class=fastapi.Response,
)
async def get_output(
    request: fastapi.Request,
    job_id: jobs.JobId,
    number: Annotated[str, fastapi.Path(examples=["0"])],
    caller: auth.Authenticated,
    given: parts.Given,
    variant: outputs.Variant = outputs.Variant.MAIN,
    stream: Annotated[
        bool | None, fastapi.Query(description="The bytes through the API, or a redirect; unset: as deployed")
    ] = None,
) -> fastapi.Response:
    """Download an output. Bytes come with `ETag` (the SHA-256) and take `Range`, `If-Range` and `If-None-Match`."""
    if not _NUMBER.fullmatch(number):
        raise faults.NotFoundError
    output = await output_services.find(given.db, caller.tenant_id, job_id, int(number), variant, clock.now())
    return await downloads.send(request, given, output, stream=stream)
