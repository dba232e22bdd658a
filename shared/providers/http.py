"""One HTTP request to a provider: never retried, bounded in time and size, and honest about what is known."""

import asyncio
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


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `json` is None when the body is not a JSON object."""

    status: int
    headers: httpx.Headers
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
    client: httpx.AsyncClient,
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
    parts = None if form is None else [(name, _part(value)) for name, value in form.items()]
    try:
        request = client.build_request(method, url, headers=dict(headers), json=body, files=parts, timeout=seconds)
    except (httpx.InvalidURL, UnicodeError) as error:  # a URL or a key that no header can carry
        return NeverSent(type(error).__name__)
    try:
        async with asyncio.timeout(seconds):
            response = await client.send(request, stream=True)
            failpoints.reach(failpoints.Failpoint.REQUEST_SENT)
            try:
                content = await _read_capped(response)
            finally:
                await response.aclose()
    except (httpx.HTTPError, aiohttp.ClientError) as error:  # the transport lets some of aiohttp's own through
        return NeverSent(_name(error)) if _never_sent(error) else Lost(_name(error))
    except TimeoutError:
        return Lost(f"no answer within {seconds:g} s")
    if content is None:
        return Lost(f"an answer of more than {BODY_CAP_BYTES} bytes")
    return Reply(response.status_code, response.headers, _object(content), content)


def _part(value: str | File) -> tuple[str | None, bytes] | tuple[str | None, bytes, str]:
    return (value.name, value.body, value.media_type) if isinstance(value, File) else (None, value.encode())


def _never_sent(error: Exception) -> bool:
    """httpx-aiohttp 0.2.0 reports a connection cut in mid-answer (ServerDisconnectedError) as ConnectTimeout, so
    httpx's class cannot tell doubt from safety; the aiohttp error beneath it can.
    """
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL)
    return isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol)


async def _read_capped(response: httpx.Response) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
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
    return type(error.__cause__ or error).__name__


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number, or an HTTP date. None if absent or senseless."""
    seconds = backoff.parse_retry_after(value, datetime.now(UTC))
    return None if seconds is None else min(seconds, LONGEST_WAIT_SECONDS)
