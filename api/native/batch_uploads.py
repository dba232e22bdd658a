"""Taking in a batch's file: streamed to the bucket, looked at on the way, and gone again if it is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import fastapi

from api import auth, parts, uploads
from api.native import batch_bodies
from shared import clock
from shared import errors as faults
from shared.domain import batches
from shared.outbound import downloads
from shared.services import acceptance, files, intake, receivers
from shared.services import batches as batch_services
from shared.sheets import heads
from shared.storage import troubles
from shared.storage import uploads as stored_uploads

MEDIA_TYPE = "application/octet-stream"


@dataclass(slots=True)
class Upload:
    """A file that is in the bucket, and the batch it may become. `content` is what was sent, for comparing."""

    new: batches.NewBatch
    content: dict[str, object]
    is_made: bool = False

    async def make(self, given: parts.Parts) -> batches.Batch:
        """Store the batch. Commits, or joins the transaction around it."""
        made = await batch_services.create(given.db, self.new)
        self.is_made = True
        return made


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the file lies: in the bucket under `key`, or still at `url`."""

    batch_id: str
    name: str
    key: str
    url: str | None = None


@asynccontextmanager
async def of_form(request: fastapi.Request, given: parts.Parts, caller: auth.Caller) -> AsyncIterator[Upload]:
    """The file of a form, stored and looked at; removed again unless a batch was made of it in the block. Raises
    InvalidRequestError and the like.
    """
    form = uploads.Form(request, "file")
    await form.until_file()
    batch_id = batches.new_id()
    source = _Source(batch_id, form.filename, _key(caller, batch_id))
    head = _Head(form.chunks())
    stored = await _store(given, source.key, head)
    try:
        sent = await form.rest()
        fields = batch_bodies.of_form(sent)
        _check(given, caller, fields, form.filename, bytes(head.kept))
        await _vet(given, fields)
        content: dict[str, object] = {"fields": sent, "name": form.filename, "sha256": stored.sha256}
        upload = Upload(_new(caller, fields, source), content)
        yield upload
    except BaseException:
        await given.store.delete([source.key])
        raise
    if not upload.is_made:
        await given.store.delete([source.key])


async def _store(given: parts.Parts, key: str, head: "_Head") -> stored_uploads.Stored:
    try:
        return await given.store.put_stream(key, head.chunks(), MEDIA_TYPE, given.settings.max_batch_bytes)
    except troubles.TooBigError as error:
        raise faults.TooLargeError(error.message, param="file") from None


async def of_json(given: parts.Parts, caller: auth.Caller, fields: batch_bodies.FromElsewhere) -> batches.Batch:
    """Make a batch whose file lies elsewhere: a worker fetches it. Commits. Raises InvalidRequestError and the like,
    NotFoundError for a file the tenant does not have.
    """
    check_model(given, caller, fields.model)
    await _vet(given, fields)
    batch_id = batches.new_id()
    if isinstance(fields, batch_bodies.BatchFromFile):
        file = await files.get(given.db, caller.tenant_id, fields.input_file_id, clock.now())
        source = _Source(batch_id, file.filename, file.key)
    else:
        name = fields.url.partition("?")[0].rstrip("/").rpartition("/")[2]
        source = _Source(batch_id, name, _key(caller, batch_id), fields.url)
    return await batch_services.create(given.db, _new(caller, fields, source))


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
    intake.check(fields.recipe(), name, head, fields.options(), catalog, usable, given.guard)


def _key(caller: auth.Caller, batch_id: str) -> str:
    return f"{batches.folder(caller.tenant_id, batch_id)}/{batches.INPUT_NAME}"


def _new(caller: auth.Caller, fields: batch_bodies.BatchFields, source: _Source) -> batches.NewBatch:
    return batches.NewBatch(
        id=source.batch_id,
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        is_test=caller.sender.is_test,
        created_at=clock.now(),
        recipe=fields.recipe(),
        wishes=fields.wishes(),
        options=fields.options(),
        source_name=source.name[:200].replace("\0", ""),
        source_key=source.key,
        source_url=source.url,
        webhook_origin=downloads.origin(fields.webhook_url) if fields.webhook_url else None,
    )


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
