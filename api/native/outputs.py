"""`/v1/jobs/{id}/outputs/{n}`: a signed URL, or the bytes themselves."""

import mimetypes
import re
from typing import Annotated, Any

import fastapi
from fastapi import responses

from api import auth, errors, parts, routing
from api.native import jobs, ranges
from shared import clock
from shared import errors as faults
from shared.domain import dispositions, outputs
from shared.services import outputs as output_services
from shared.storage import troubles

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["outputs"])

# Anything that a browser might run is only ever saved, never shown.
_SHOWN = re.compile(r"video/[\w.+-]+|audio/[\w.+-]+|image/(png|jpeg|webp|gif|avif)|text/plain|application/json")
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
    if given.settings.stream_downloads if stream is None else stream:
        return await _stream(request, given, output)
    return await _redirect(given, output)


async def _redirect(given: parts.Parts, output: outputs.Output) -> fastapi.Response:
    url = await given.store.sign(
        output.key,
        given.settings.signed_url_seconds,
        filename(output),
        output.media_type,
        inline=_is_shown(output),
    )
    return responses.RedirectResponse(url, 302, {"Cache-Control": "no-store"})


async def _stream(request: fastapi.Request, given: parts.Parts, output: outputs.Output) -> fastapi.Response:
    headers = _headers(output)
    if _matches(request.headers.get("if-none-match"), headers["ETag"]):
        return fastapi.Response(status_code=304, headers=headers)
    try:
        wanted = ranges.parse(_range_header(request, headers["ETag"]), output.size_bytes)
    except ranges.RangeNotSatisfiableError as error:
        limits = {"Content-Range": f"bytes */{output.size_bytes}", "Accept-Ranges": "bytes"}
        return errors.answer(error, errors.request_id(request.scope), limits)
    headers["Content-Length"] = str(wanted.length if wanted else output.size_bytes)
    if wanted:
        headers["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{output.size_bytes}"
    status = 206 if wanted else 200
    if request.method == "HEAD":
        return fastapi.Response(status_code=status, headers=headers, media_type=output.media_type)
    return await _bytes(given, output, wanted, status, headers)


async def _bytes(
    given: parts.Parts, output: outputs.Output, wanted: ranges.Slice | None, status: int, headers: dict[str, str]
) -> fastapi.Response:
    try:
        download = await given.store.open(output.key, f"bytes={wanted.first}-{wanted.last}" if wanted else None)
    except troubles.ObjectMissingError:
        # Deleted between our look at the row and now, or by somebody else's hand.
        raise faults.GoneError from None
    return responses.StreamingResponse(download.chunks, status, headers, output.media_type)


def _headers(output: outputs.Output) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "ETag": f'"{output.sha256}"',
        # The bytes never change, but they may be deleted: ask each time.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": dispositions.content_disposition(filename(output), inline=_is_shown(output)),
    }


def _range_header(request: fastapi.Request, etag: str) -> str | None:
    """The Range header, unless If-Range names other bytes than those we have."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, etag) else None


def _matches(header: str | None, etag: str) -> bool:
    candidates = {item.strip().removeprefix("W/") for item in (header or "").split(",")}
    return etag in candidates or "*" in candidates


def filename(output: outputs.Output) -> str:
    """A name for saving it: `job_01k…-0.mp4`, `job_01k…-0-thumbnail.jpg`."""
    variant = "" if output.variant is outputs.Variant.MAIN else f"-{output.variant}"
    extension = mimetypes.guess_extension(_plain(output.media_type)) or ".bin"
    return f"{output.job_id}-{output.number}{variant}{extension}"


def _is_shown(output: outputs.Output) -> bool:
    return _SHOWN.fullmatch(_plain(output.media_type)) is not None


def _plain(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
