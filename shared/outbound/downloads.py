"""Fetching a result from a URL a provider named: guarded, bounded, at most three redirects."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from shared.outbound import clients, targets

REDIRECTS = 3
STALL_SECONDS = 30.0


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
    """An open answer: what the server claims it is, how long, and its bytes."""

    media_type: str | None
    size_bytes: int | None
    chunks: AsyncIterator[bytes]


class Downloader:
    """One a process. Origins in `trusted_origins` are the operator's own providers and may be private."""

    def __init__(self, trusted_origins: frozenset[str], guard: targets.Guard) -> None:
        self._trusted_origins = trusted_origins
        self._open = clients.provider_client()
        self._guard = guard
        self._guarded = clients.guarded_client(guard)

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
            await response.aclose()

    async def close(self) -> None:
        """Close every connection. May be repeated."""
        await self._open.aclose()
        await self._guarded.aclose()

    async def _follow(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        first = origin(url)
        for _ in range(REDIRECTS + 1):
            response = await self._get(url, headers if origin(url) == first else {})
            if not response.is_redirect:
                return await _checked(response)
            url = urljoin(url, response.headers.get("location", ""))
            await response.aclose()
        raise ForbiddenUrlError(f"more than {REDIRECTS} redirects")

    async def _get(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        client = self._client_for(url)
        request = client.build_request("GET", url, headers=dict(headers), timeout=STALL_SECONDS)
        try:
            return await client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _classified(error) from error

    def _client_for(self, url: str) -> httpx.AsyncClient:
        if _is_plain(url) and origin(url) in self._trusted_origins:
            return self._open
        try:
            self._guard.check(url)
        except targets.ForbiddenTargetError as error:
            raise ForbiddenUrlError(f"{error.rule}: {error.message}") from None
        return self._guarded


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


async def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code == 200:
        return response
    await response.aclose()
    if response.status_code in {403, 404, 410}:
        raise DeadUrlError(f"status {response.status_code}")
    if response.status_code == 429 or response.status_code >= 500:
        raise ServerAwayError(f"status {response.status_code}")
    raise DownloadError(f"status {response.status_code}")


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.HTTPError as error:
        raise DownloadError(f"the download broke off: {type(error.__cause__ or error).__name__}") from error


def _classified(error: httpx.HTTPError) -> DownloadError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, targets.ForbiddenTargetError):
            return ForbiddenUrlError(f"{cause.rule}: {cause.message}")
        cause = cause.__cause__ or cause.__context__
    return ServerAwayError(type(error.__cause__ or error).__name__)
