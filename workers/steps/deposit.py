"""One result of a provider becomes stored, opened outputs: itself, and for a video two small pictures."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared import clock, failpoints, ids
from shared.db import attempts as attempt_rows
from shared.domain import answers, attempts, outputs, requests, states
from shared.services import claims
from shared.storage import forms, inspection, previews, unusable, uploads
from workers import context

# How long the outputs of a job with `store: false` wait for their caller.
UNSTORED_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """Which result this is, and the file it passes through on its way."""

    claim: claims.Claim
    attempt: attempts.Attempt
    number: int
    file: Path

    def key(self, variant: outputs.Variant, extension: str) -> str:
        """The object's key; the same whenever this collecting is repeated."""
        job = self.claim.job
        where = outputs.Place(job.tenant_id, job.id, self.attempt.id, job.created_at, self.number)
        return outputs.key_for(where, variant, extension)


async def deposit(at: context.Context, place: Place, source: outputs.Source) -> list[outputs.Output]:
    """Store one result and open it. Raises UnusableOutputError, TooBigError, DownloadError,
    StorageUnavailableError; an object already written is then left to be overwritten, or swept.
    """
    async with AsyncExitStack() as stack:
        chunks = await stack.enter_async_context(_open(at, place, source))
        head, whole = await _peek(chunks)
        form = _form(place, head)
        key = place.key(outputs.Variant.MAIN, form.extension)
        stored = await at.store.put_stream(key, _tee(whole, place.file), form.media_type, at.settings.max_output_bytes)
    seen = await _inspect(at, place, key)
    main = _output(at, place, outputs.Variant.MAIN, form.media_type, stored, seen)
    return [main, *await _previews(at, place)]


@asynccontextmanager
async def _open(at: context.Context, place: Place, source: outputs.Source) -> AsyncIterator[AsyncIterator[bytes]]:
    if source.url is not None:
        headers = at.adapter(place.attempt.provider, place.attempt.credential).download_headers(source.url)
        async with at.downloader.fetch(source.url, headers) as download:
            yield download.chunks
    elif source.text is not None:
        _check_text(place.claim.request, source.text)
        yield _once(source.text.encode())
    else:
        async with at.db.transaction() as connection:
            body = await attempt_rows.body(connection, place.attempt.id, place.number)
        yield _once(body)


def _check_text(request: requests.AnyRequest, text: str) -> None:
    problem = answers.misfit(request, text)
    if problem is not None:
        raise unusable.UnusableOutputError(problem)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _peek(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes, enough to tell the form, and an iterator over everything including them."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= forms.HEAD_BYTES:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for chunk in chunks:
            yield chunk

    return head, whole()


async def _tee(chunks: AsyncIterator[bytes], file: Path) -> AsyncIterator[bytes]:
    with file.open("wb") as opened:
        async for chunk in chunks:
            opened.write(chunk)
            yield chunk
            failpoints.reach(failpoints.Failpoint.FIRST_BYTE_STORED)


def _form(place: Place, head: bytes) -> forms.Form:
    kind = place.claim.job.kind
    if kind in states.WRITTEN:
        return forms.JSON if answers.is_json(place.claim.request) else forms.TEXT
    form = forms.form_of(head)
    if form is None or form.kind is not kind:
        said = form.media_type if form else "of no form we know"
        raise unusable.UnusableOutputError(f"Asked for {kind}, the bytes are {said}.")
    return form


async def _inspect(at: context.Context, place: Place, key: str) -> inspection.Inspected:
    try:
        return await inspection.inspect(place.file, place.claim.job.kind)
    except unusable.UnusableOutputError:
        await at.store.delete([key])
        raise


async def _previews(at: context.Context, place: Place) -> list[outputs.Output]:
    if place.claim.job.kind is not states.Kind.VIDEO:
        return []
    made = (
        (outputs.Variant.THUMBNAIL, await previews.thumbnail(place.file)),
        (outputs.Variant.SPRITESHEET, await previews.spritesheet(place.file)),
    )
    small: list[outputs.Output] = []
    for variant, body in made:
        stored = await at.store.put(place.key(variant, previews.EXTENSION), body, previews.MEDIA_TYPE)
        small.append(_output(at, place, variant, previews.MEDIA_TYPE, stored, None))
    return small


def _output(
    at: context.Context,
    place: Place,
    variant: outputs.Variant,
    media_type: str,
    stored: uploads.Stored,
    seen: inspection.Inspected | None,
) -> outputs.Output:
    now, job = clock.now(), place.claim.job
    keep = at.settings.output_retention_seconds if job.retention_seconds is None else job.retention_seconds
    keep = keep if job.store else min(keep or UNSTORED_SECONDS, UNSTORED_SECONDS)
    return outputs.Output(
        id=ids.new(ids.Prefix.OUTPUT),
        job_id=job.id,
        tenant_id=job.tenant_id,
        number=place.number,
        variant=variant,
        key=stored.key,
        media_type=media_type,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        created_at=now,
        width=seen.width if seen else None,
        height=seen.height if seen else None,
        duration_seconds=seen.duration_seconds if seen else None,
        expires_at=now + timedelta(seconds=keep) if keep else None,
    )
