"""Closing a batch: its results go to the bucket, with a manifest, and only then it is over."""

import structlog

from shared import clock, logs
from shared.domain import batches, manifests
from shared.services import closings, results
from shared.services import slices as slice_services
from workers import context

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def close(at: context.Context, here: slice_services.Slice) -> None:
    """Write the files of this generation, then end the batch. May be repeated: a repeat overwrites its own files.
    Raises StorageUnavailableError.
    """
    if not await slice_services.hold(at.db, here):
        return
    written = [await _write(at, here.batch, wanted) for wanted in results.files_of(here.batch)]
    manifest = manifests.of(here.batch, written, clock.now())
    key = f"{here.batch.folder}/{manifests.NAME}"
    stored = await at.store.put(key, manifest, manifests.MEDIA_TYPE)
    own = batches.ResultFile(manifests.NAME, key, manifests.MEDIA_TYPE, stored.size_bytes, stored.sha256)
    await closings.close(at.db, here.batch, here.number, (*written, own), clock.now())
    _log.info("batch_closed", status=here.batch.ends_as, files=len(written) + 1)


async def _write(at: context.Context, batch: batches.Batch, wanted: results.Wanted) -> batches.ResultFile:
    name = results.name_of(wanted)
    media_type = results.MEDIA_TYPES[wanted.form]
    chunks = results.stream(at.db, batch, wanted, at.settings.public_url)
    key = f"{batch.folder}/{name}"
    stored = await at.store.put_stream(key, chunks, media_type, results.MOST_FILE_BYTES)
    return batches.ResultFile(name, key, media_type, stored.size_bytes, stored.sha256)
