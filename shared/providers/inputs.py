"""The pictures a request brings along, in the forms providers take them."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from shared.domain import requests, shapes
from shared.providers import base, http

_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)


class UnusableInputError(Exception):
    """This provider cannot take the request as it is; the message says what it can."""


def first_frame(request: requests.AnyRequest) -> str | None:
    """The URL of the picture a video starts with."""
    return _frame(request, "first_frame")


def last_frame(request: requests.AnyRequest) -> str | None:
    """The URL of the picture a video ends with."""
    return _frame(request, "last_frame")


def _frame(request: requests.AnyRequest, frame_type: str) -> str | None:
    frames = request.frame_images if isinstance(request, requests.VideoRequest) else []
    return next((frame.image_url.url for frame in frames if frame.frame_type == frame_type), None)


def references(request: requests.AnyRequest) -> list[str]:
    """The URLs of the pictures the output should resemble."""
    return [item.image_url.url for item in getattr(request, "input_references", [])]


def inline(url: str) -> tuple[str, str]:
    """Media type and base64 of a data URL. Raises UnusableInputError for any other: we fetch nothing for a caller."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise UnusableInputError("This provider takes pictures only as data:image/…;base64 URLs.")
    return found[1], found[2]


def file(url: str) -> http.File:
    """A data URL as the file of a form. Raises UnusableInputError."""
    media_type, encoded = inline(url)
    try:
        body = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise UnusableInputError("The picture's data: URL is not base64.") from error
    return http.File(f"picture.{media_type.partition('/')[2]}", body, media_type)


def bare(url: str) -> str:
    """An https URL as it is, a data URL as its base64 alone."""
    return inline(url)[1] if url.startswith("data:") else url


def values(ask: base.Ask) -> Mapping[str, Any]:
    """What may be filled into an endpoint's options (domain/templates.py)."""
    request, pixels = ask.request, ask.pixels
    pictures = references(request)
    given = {
        "prompt": getattr(request, "prompt", None),
        "seconds": ask.seconds,
        "reference": ask.reference,
        "first_frame": first_frame(request),
        "last_frame": last_frame(request),
        "input_reference": pictures[0] if pictures else None,
        "input_references": pictures or None,
    }
    for field in ("n", "seed", "format", "generate_audio", "max_tokens", "temperature"):
        given[field] = getattr(request, field, None)
    if pixels is None:
        return given
    return given | {
        "width": pixels.width,
        "height": pixels.height,
        "size": str(pixels),
        "aspect_ratio": shapes.aspect_ratio(request, pixels),
        "resolution": shapes.resolution(request, pixels),
    }
