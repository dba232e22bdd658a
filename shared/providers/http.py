"""One HTTP request to a provider: never retried, bounded in time and size, and honest about what is known."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
import orjson

from shared import failpoints
from shared.domain import backoff

BODY_CAP_BYTES = 64 * 1024 * 1024
SUBMIT_SECONDS = 60.0
POLL_SECONDS = 20.0
# For providers that hold the line until the result is there.
GENERATE_SECONDS = 600.0
# Nobody is believed who wants us to wait for longer.
LONGEST_WAIT_SECONDS = 86_400.0
# What reading an answer of an unexpected shape raises. Whatever a provider sends, an adapter does not raise.
MISSHAPEN = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
# Given bytes, aiohttp looks through a list of types to find this one.
_Payload = aiohttp.BytesPayload
# The errors that tell for sure that not a byte of the request was sent. All others leave doubt.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `headers` know no case; `json` is None when the body is not a JSON object."""

    status: int
    headers: Mapping[str, str]
    json: dict[str, Any] | None
    content: bytes = b""

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object. Raises ValueError if the body is none."""
        if self.json is None:
            raise ValueError("the answer is not a JSON object")
        return self.json

    @property
    def media_type(self) -> str:
        """What the body claims to be, without parameters."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def retry_after_seconds(self) -> float | None:
        """What Retry-After asks for, whichever of its two forms it has."""
        return parse_retry_after(self.headers.get("retry-after"))


@dataclass(frozen=True, slots=True)
class NeverSent:
    """No connection was made: the provider has not seen the request."""

    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived; its answer did not, or made no sense."""

    message: str


@dataclass(frozen=True, slots=True)
class File:
    """A part of a form that is a file."""

    name: str
    body: bytes
    media_type: str


Form = Mapping[str, str | File]
Answer = Reply | NeverSent | Lost


async def send(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    form: Form | None = None,
    seconds: float,
) -> Answer:
    """Send one request, with a JSON body or a multipart form, and read its answer, within `seconds` in all. Never
    raises for what the network does.
    """
    try:
        own, data = _content(body, form)
        checked = _checked(headers) | own
    except ValueError as error:  # a key that no header can carry, a text that is no Unicode
        return NeverSent(type(error).__name__)
    try:
        async with (
            asyncio.timeout(seconds),
            session.request(method, url, headers=checked, data=data, allow_redirects=False) as response,
        ):
            failpoints.reach(failpoints.Failpoint.REQUEST_SENT)
            content = await _read_capped(response)
    except aiohttp.ClientError as error:
        return NeverSent(_name(error)) if isinstance(error, _NEVER_SENT) else Lost(_name(error))
    except TimeoutError:
        return Lost(f"no answer within {seconds:g} s")
    if content is None:
        return Lost(f"an answer of more than {BODY_CAP_BYTES} bytes")
    return Reply(response.status, response.headers, _object(content), content)


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, if they can be sent as they are. Raises ValueError."""
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise ValueError("a header must be printable ASCII")
    return dict(headers)


def _content(body: Mapping[str, Any] | None, form: Form | None) -> tuple[dict[str, str], _Payload | None]:
    """What is sent, and the headers that describe it. Raises ValueError."""
    if form is not None:
        parts = [(name, _part(value)) for name, value in form.items()]
        made = httpx.Request("POST", "http://form", files=parts)
        return {"Content-Type": made.headers["content-type"]}, _Payload(made.read())
    if body is not None:
        return {"Content-Type": "application/json"}, _Payload(_JSON.encode(body).encode())
    return {}, None


def _part(value: str | File) -> tuple[str | None, bytes] | tuple[str | None, bytes, str]:
    return (value.name, value.body, value.media_type) if isinstance(value, File) else (None, value.encode())


async def _read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > BODY_CAP_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _name(error: Exception) -> str:
    return type(error).__name__


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number, or an HTTP date. None if absent or senseless."""
    seconds = backoff.parse_retry_after(value, datetime.now(UTC))
    return None if seconds is None else min(seconds, LONGEST_WAIT_SECONDS)
