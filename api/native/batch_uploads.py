"""Taking in a batch's file: streamed to the bucket, looked at on the way, and gone again if it is refused."""

from collections.abc import AsyncIterator

import fastapi

from api import auth, parts, uploads
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


async def of_form(request: fastapi.Request, given: parts.Parts, caller: auth.Caller) -> batches.Batch:
    """Store the file of a form and make the batch. Raises InvalidRequestError and the like; then nothing is stored."""
    form = uploads.Form(request, "file")
    await form.until_file()
    batch_id = batches.new_id()
    key = f"{batches.folder(caller.tenant_id, batch_id)}/input"
    head = _Head(form.chunks())
    try:
        await given.store.put_stream(key, head.chunks(), MEDIA_TYPE, given.settings.max_batch_bytes)
    except troubles.TooBigError as error:
        raise faults.TooLargeError(error.message, param="file") from None
    try:
        fields = batch_bodies.of_form(await form.rest())
        _check(given, caller, fields, form.filename, bytes(head.kept))
        await _vet(given, fields)
        return await _make(given, caller, batch_id, fields, form.filename, key)
    except BaseException:
        await given.store.delete([key])
        raise


async def of_url(given: parts.Parts, caller: auth.Caller, fields: batch_bodies.BatchFromUrl) -> batches.Batch:
    """Make a batch whose file a worker fetches. Raises InvalidRequestError and the like."""
    check_model(given, caller, fields.model)
    await _vet(given, fields)
    batch_id = batches.new_id()
    key = f"{batches.folder(caller.tenant_id, batch_id)}/input"
    name = fields.url.partition("?")[0].rstrip("/").rpartition("/")[2][:200]
    return await _make(given, caller, batch_id, fields, name, key, fields.url)


def check_model(given: parts.Parts, caller: auth.Caller, slug: str | None) -> None:
    """Raise UnknownModelError for a name that is not in the catalog, ForbiddenError for one a test key does not reach.
    Without a name, each row has its own.
    """
    if slug is None:
        return
    if slug not in given.catalog.models:
        raise acceptance.unknown_model(given.catalog, slug, "model")
    if caller.sender.is_test:
        acceptance.check_sandbox(given.catalog, [(slug, "model")])


async def _vet(given: parts.Parts, fields: batch_bodies.BatchFields) -> None:
    if fields.webhook_url is not None:
        await receivers.vet_url(given.guard, fields.webhook_url, "webhook_url")


def _check(given: parts.Parts, caller: auth.Caller, fields: batch_bodies.BatchFields, name: str, head: bytes) -> None:
    check_model(given, caller, fields.model)
    catalog = given.catalog
    usable = batches.reach(catalog, given.usable_providers(catalog), is_test=caller.sender.is_test)
    intake.check(fields.recipe(), name, head, fields.options(), catalog, usable)


async def _make(
    given: parts.Parts,
    caller: auth.Caller,
    batch_id: str,
    fields: batch_bodies.BatchFields,
    name: str,
    key: str,
    url: str | None = None,
) -> batches.Batch:
    new = batches.NewBatch(
        id=batch_id,
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        is_test=caller.sender.is_test,
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
