"""Fetching a result from a URL a provider named: guarded, bounded, at most three redirects."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
import yarl

from shared.outbound import clients, encodings, targets

REDIRECTS = 3
STALL_SECONDS = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=STALL_SECONDS, sock_read=STALL_SECONDS)
# There is little to gain for films and pictures. Who compresses all the same is understood (encodings.py).
_PLAIN = {"Accept-Encoding": "identity"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class DownloadError(Exception):
    """The result could not be fetched; trying again may help."""


class DeadUrlError(DownloadError):
    """The provider says this result is not there (any more)."""


class ServerAwayError(DownloadError):
    """The server of the result is away or busy: it refuses connections, says nothing, or answers 429 or 5xx."""


class ForbiddenUrlError(DownloadError):
    """The provider named a URL we may not fetch: a private address, an odd scheme, a redirect too far."""


@dataclass(frozen=True, slots=True)
class Download:
    """An open answer: what the server claims it is, how long on the line, and its bytes, unpacked."""

    media_type: str | None
    size_bytes: int | None
    chunks: AsyncIterator[bytes]


class Downloader:
    """One a process. Origins in `trusted_origins` are the operator's own providers and may be private."""

    def __init__(self, trusted_origins: frozenset[str], guard: targets.Guard) -> None:
        self._trusted_origins = trusted_origins
        self._open = clients.provider_session()
        self._guard = guard
        self._guarded = clients.guarded_session(guard)

    def trust(self, origins: frozenset[str]) -> None:
        """Take these origins for the operator's own from now on: the catalog was read again."""
        self._trusted_origins = origins

    @asynccontextmanager
    async def fetch(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Download]:
        """Open a URL. `headers` go to its own origin only. Raises the DownloadErrors above, also while reading."""
        response = await self._follow(url, headers)
        try:
            length = response.headers.get("content-length", "")
            yield Download(
                media_type=response.headers.get("content-type"),
                size_bytes=int(length) if length.isdigit() else None,
                chunks=_chunks(response),
            )
        finally:
            response.close()

    async def close(self) -> None:
        """Close every connection. May be repeated."""
        await self._open.close()
        await self._guarded.close()

    async def _follow(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        first = origin(url)
        for _ in range(REDIRECTS + 1):
            response = await self._get(url, headers if origin(url) == first else {})
            if response.status not in _REDIRECTS or "location" not in response.headers:
                return _checked(response)
            response.close()
            url = _joined(url, response.headers["location"])
        raise ForbiddenUrlError(f"more than {REDIRECTS} redirects")

    async def _get(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        session = self._session_for(url)
        try:
            # As it is: signed URLs do not bear to be quoted anew. But what is not ASCII cannot go over the line.
            target = yarl.URL(url, encoded=url.isascii())
            return await session.get(
                target, headers={**headers, **_PLAIN}, timeout=_TIMEOUT, allow_redirects=False, auto_decompress=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _classified(error) from error

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        if _is_plain(url) and origin(url) in self._trusted_origins:
            return self._open
        try:
            self._guard.check(url)
        except targets.ForbiddenTargetError as error:
            raise ForbiddenUrlError(f"{error.rule}: {error.message}") from None
        return self._guarded


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ForbiddenUrlError("a redirect to no URL that can be fetched") from None


def _is_plain(url: str) -> bool:
    """Whether all parsers agree on what the URL's host is."""
    try:
        odd = bool(set(url) & set("\\ \t\r\n")) or "@" in urlsplit(url).netloc
    except ValueError:
        return False
    return len(url) <= targets.URL_CHARACTERS and url.isascii() and not odd


def origin(url: str) -> str:
    """Scheme, host and port of a URL, as one comparable text; empty for what is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _checked(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    if response.status == 200:
        return response
    response.close()
    if response.status in {403, 404, 410}:
        raise DeadUrlError(f"status {response.status}")
    if response.status == 429 or response.status >= 500:
        raise ServerAwayError(f"status {response.status}")
    raise DownloadError(f"status {response.status}")


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        body = encodings.Body(response.headers.get("content-encoding", ""))
        while chunk := await _next(response):
            for piece in body.unpack(chunk):
                yield piece
        body.end()
    except (aiohttp.ClientError, OSError) as error:
        raise DownloadError(f"the download broke off: {type(error).__name__}") from error
    except encodings.EncodingError as error:
        raise DownloadError(f"the download cannot be unpacked: {error}") from error


async def _next(response: aiohttp.ClientResponse) -> bytes:
    # aiohttp's own limit no longer counts once its parser has met what is no HTTP in the middle of a body.
    async with asyncio.timeout(STALL_SECONDS):
        return await response.content.readany()


def _classified(error: Exception) -> DownloadError:
    broken = targets.broken_rule(error)
    if broken is not None:
        return ForbiddenUrlError(f"{broken.rule}: {broken.message}")
    if isinstance(error, aiohttp.InvalidURL) or not isinstance(error, aiohttp.ClientError | OSError):
        return ForbiddenUrlError("no URL that can be fetched")
    return ServerAwayError(type(error).__name__)
