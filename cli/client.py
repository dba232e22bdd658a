"""Speaking to the API, as any user of it would."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import tenacity

WAIT_SECONDS = 20
PATIENCE_SECONDS = 60
TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})

Json = dict[str, Any]
Parameter = str | int | list[str]


class ApiError(Exception):
    """The API said no; the message is its own sentence."""

    def __init__(self, message: str, status: int = 0, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = dict(detail or {})

    def sentence(self) -> str:
        """The message, with the values that would have been taken."""
        accepted = self.detail.get("accepted")
        return f"{self} Accepted: {', '.join(map(str, accepted))}." if accepted else str(self)


class AwayError(ApiError):
    """The API cannot do it now (503), or cannot be reached; the same request may be sent again."""


_while_away = tenacity.retry(
    retry=tenacity.retry_if_exception_type((AwayError, httpx.TransportError)),
    wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5),
    stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A downloaded output."""

    path: Path
    size_bytes: int
    sha256: str


class Client:
    """One base URL and one key. Close it, or use it as a context manager."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=WAIT_SECONDS + 10
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def submit(self, kind: str, body: Json, idempotency_key: str | None = None) -> Json:
        """POST a request of this kind and return the receipt. Raises ApiError.
        An answer that was lost costs nothing: the request is sent again under the same Idempotency-Key.
        """
        key = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return await self._post(f"/v1/{kind}s", body, key)

    @_while_away
    async def _post(self, path: str, body: Json, headers: dict[str, str]) -> Json:
        return _read(await self._http.post(path, json=body, headers=headers))

    @_while_away
    async def job(self, job_id: str, wait_seconds: int = 0) -> Json:
        """The job, at once or when it changes. Raises ApiError."""
        return await self.get(f"/v1/jobs/{job_id}", **({"wait": wait_seconds} if wait_seconds else {}))

    async def follow(self, job_id: str) -> AsyncIterator[Json]:
        """Every change of the job until it is terminal. Raises ApiError."""
        job = await self.job(job_id)
        yield job
        while job["status"] not in TERMINAL:
            job = await self.job(job_id, WAIT_SECONDS)
            yield job

    async def get(self, path: str, **parameters: Parameter) -> Json:
        """GET a path. Raises ApiError."""
        return _read(await self._http.get(path, params=parameters))

    async def post(self, path: str, body: Json | None = None) -> Json:
        """POST to a path. Raises ApiError."""
        return _read(await self._http.post(path, json=body))

    async def delete(self, path: str) -> Json:
        """DELETE a path; empty when nothing is answered. Raises ApiError."""
        return _read(await self._http.delete(path))

    async def upload(self, path: str, file: Path, fields: dict[str, str]) -> Json:
        """POST a form with a file, which is read as it is sent. Raises ApiError."""
        with file.open("rb") as opened:
            return _read(await self._http.post(path, files={"file": (file.name, opened)}, data=fields, timeout=3600))

    async def save(self, path: str, target: Path, **parameters: str) -> int:
        """Stream what a path answers into a file, whole or not at all; its length in bytes. Raises ApiError."""
        half, size = target.with_name(f".{target.name}.part"), 0
        async with self._http.stream("GET", path, params=parameters, follow_redirects=True) as answer:
            if answer.status_code != 200:
                await answer.aread()
                _read(answer)
            with half.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    size += file.write(chunk)
        half.replace(target)
        return size

    async def jobs(self, parameters: Mapping[str, Parameter], limit: int) -> list[Json]:
        """Up to `limit` jobs, newest first, over as many pages as that takes. Raises ApiError."""
        found: list[Json] = []
        cursor: str | None = None
        while len(found) < limit:
            asked: dict[str, Parameter] = {**parameters, "limit": min(limit - len(found), 100)} | (
                {"cursor": cursor} if cursor else {}
            )
            page = await self.get("/v1/jobs", **asked)
            found += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    async def text(self, job_id: str, number: int = 0) -> str:
        """A text output itself. Raises ApiError."""
        answer = await self._http.get(f"/v1/jobs/{job_id}/outputs/{number}", follow_redirects=True)
        if answer.is_error:
            _read(answer)
        return answer.content.decode(errors="replace")

    async def download(self, job_id: str, number: int, path: Path, variant: str = "main") -> Saved:
        """Stream an output into a file, hashing on the way; a file that could not be finished is not left.
        Raises ApiError.
        """
        url = f"/v1/jobs/{job_id}/outputs/{number}"
        async with self._http.stream("GET", url, params={"variant": variant}, follow_redirects=True) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                _read(answer)
            return await _save(answer, path)


async def _save(answer: httpx.Response, path: Path) -> Saved:
    digest, size = hashlib.sha256(), 0
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            async for chunk in answer.aiter_bytes():
                digest.update(chunk)
                size += file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Saved(path, size, digest.hexdigest())


def _read(answer: httpx.Response) -> Json:
    try:
        body: Json = answer.json()
    except ValueError:
        body = {}
    if answer.is_error:
        error = body.get("error") or {}
        kind = AwayError if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else ApiError
        raise kind(str(error.get("message") or f"status {answer.status_code}"), answer.status_code, error)
    return body
