"""Sending an output: a redirect to a signed URL, or the bytes themselves."""

import mimetypes
import re

import fastapi
from fastapi import responses

from api import errors, parts, ranges
from shared import errors as faults
from shared.domain import dispositions, outputs
from shared.storage import troubles

# Anything that a browser might run is only ever saved, never shown.
_SHOWN = re.compile(r"video/[\w.+-]+|audio/[\w.+-]+|image/(png|jpeg|webp|gif|avif)|text/plain|application/json")


async def send(
    request: fastapi.Request, given: parts.Parts, output: outputs.Output, *, stream: bool | None = None
) -> fastapi.Response:
    """The bytes if `stream`, else a redirect; None does as deployed. Raises GoneError."""
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
        return errors.respond(error, request.scope, limits)
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
