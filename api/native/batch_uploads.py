"""Taking in a batch's file: streamed to the bucket, looked at on the way, and gone again if it is refused."""

from collections.abc import AsyncIterator

import fastapi

from api import parts, uploads
from api.native import batch_bodies
from shared import clock
from shared import errors as faults
from shared.domain import batches
from shared.outbound import downloads
from shared.services import acceptance, intake, receivers
from shared.services import batches as batch_services
from shared.sheets import heads
from shared.storage import troubles

MEDIA_TYPE = "application/octet-stream"


async def of_form(request: fastapi.Request, given: parts.Parts, tenant_id: str) -> batches.Batch:
    """Store the file of a form and make the batch. Raises InvalidRequestError and the like; then nothing is stored."""
    form = uploads.Form(request, "file")
    await form.until_file()
    batch_id = batches.new_id()
    key = f"{batches.folder(tenant_id, batch_id)}/input"
    head = _Head(form.chunks())
    try:
        await given.store.put_stream(key, head.chunks(), MEDIA_TYPE, given.settings.max_batch_bytes)
    except troubles.TooBigError as error:
        raise faults.TooLargeError(error.message, param="file") from None
    try:
        fields = batch_bodies.of_form(await form.rest())
        _check(given, fields, form.filename, bytes(head.kept))
        await _vet(given, fields)
        return await _make(given, tenant_id, batch_id, fields, form.filename, key)
    except BaseException:
        await given.store.delete([key])
        raise


async def of_url(given: parts.Parts, tenant_id: str, fields: batch_bodies.BatchFromUrl) -> batches.Batch:
    """Make a batch whose file a worker fetches. Raises InvalidRequestError and the like."""
    if fields.model is not None:
        known_model(given, fields.model)
    await _vet(given, fields)
    batch_id = batches.new_id()
    key = f"{batches.folder(tenant_id, batch_id)}/input"
    name = fields.url.partition("?")[0].rstrip("/").rpartition("/")[2][:200]
    return await _make(given, tenant_id, batch_id, fields, name, key, fields.url)


def known_model(given: parts.Parts, slug: str) -> None:
    """Raise UnknownModelError for a name that is not in the catalog."""
    if slug not in given.catalog.models:
        raise acceptance.unknown_model(given.catalog, slug, "model")


async def _vet(given: parts.Parts, fields: batch_bodies.BatchFields) -> None:
    if fields.webhook_url is not None:
        await receivers.vet_url(given.guard, fields.webhook_url, "webhook_url")


def _check(given: parts.Parts, fields: batch_bodies.BatchFields, name: str, head: bytes) -> None:
    if fields.model is not None:
        known_model(given, fields.model)
    catalog = given.catalog
    intake.check(fields.recipe(), name, head, fields.options(), catalog, given.usable_providers(catalog))


async def _make(
    given: parts.Parts,
    tenant_id: str,
    batch_id: str,
    fields: batch_bodies.BatchFields,
    name: str,
    key: str,
    url: str | None = None,
) -> batches.Batch:
    new = batches.NewBatch(
        id=batch_id,
        tenant_id=tenant_id,
        created_at=clock.now(),
        recipe=fields.recipe(),
        wishes=fields.wishes(),
        options=fields.options(),
        source_name=name[:200].replace("\0", ""),
        source_key=key,
        source_url=url,
        webhook_origin=downloads.origin(fields.webhook_url) if fields.webhook_url else None,
    )
    return await batch_services.create(given.db, new)


class _Head:
    """Passes a stream on and keeps its beginning."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.kept = bytearray()
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            if len(self.kept) < heads.HEAD_BYTES:
                self.kept += chunk[: heads.HEAD_BYTES - len(self.kept)]
            yield chunk
