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


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `json` is None when the body is not a JSON object."""

    status: int
    headers: httpx.Headers
    json: dict[str, Any] | None

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


async def send(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    seconds: float,
) -> Reply | NeverSent | Lost:
    """Send one request and read its answer, within `seconds` in all. Never raises for what the network does."""
    request = client.build_request(method, url, headers=dict(headers), json=body, timeout=seconds)
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
    return Reply(response.status_code, response.headers, _object(content))


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
    return backoff.parse_retry_after(value, datetime.now(UTC))
