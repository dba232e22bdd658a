"""Files that callers upload: keep, find, read, list, delete."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from shared import errors, ids, logs
from shared.db import engine
from shared.db import files as file_rows
from shared.domain import files
from shared.storage import downloads, objects, troubles

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files to list: those after `after_id`, newest first unless `oldest_first`."""

    purpose: str | None
    after_id: str | None
    limit: int
    oldest_first: bool = False


async def keep(
    db: engine.Database,
    store: objects.Objects,
    new: files.NewFile,
    chunks: AsyncIterator[bytes],
    limit_bytes: int,
    now: datetime,
) -> files.File:
    """Stream the bytes to the storage, then record the file. Commits. Raises TooLargeError; then nothing is kept.

    Dying in between leaves bytes that nobody can name; they lie under the tenant's `files/` prefix.
    """
    file_id = ids.new(ids.Prefix.FILE)
    try:
        stored = await store.put_stream(files.key_for(new.tenant_id, file_id), chunks, new.media_type, limit_bytes)
    except troubles.TooBigError:
        raise errors.TooLargeError(f"The file is larger than {limit_bytes} bytes.", param="file") from None
    file = files.File(
        id=file_id,
        tenant_id=new.tenant_id,
        key=stored.key,
        filename=new.filename,
        purpose=new.purpose,
        media_type=new.media_type,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        created_at=now,
        expires_at=new.expires_at,
    )
    async with db.transaction() as connection:
        await file_rows.insert(connection, file)
    return file


async def get(db: engine.Database, tenant_id: str, file_id: str, now: datetime) -> files.File:
    """The file. Raises NotFoundError, also for one that has expired."""
    file = None
    if ids.is_valid(ids.Prefix.FILE, file_id):
        async with db.transaction() as connection:
            file = await file_rows.get(connection, tenant_id, file_id, now)
    if file is None:
        raise errors.NotFoundError("There is no file with this id.", param="id")
    return file


async def list_page(db: engine.Database, tenant_id: str, wanted: Wanted, now: datetime) -> files.FilePage:
    """One page of the tenant's files."""
    async with db.transaction() as connection:
        found = await file_rows.page(
            connection,
            tenant_id,
            wanted.purpose,
            wanted.after_id,
            wanted.limit + 1,
            now,
            oldest_first=wanted.oldest_first,
        )
    return files.FilePage(tuple(found[: wanted.limit]), len(found) > wanted.limit)


async def delete(db: engine.Database, store: objects.Objects, tenant_id: str, file_id: str) -> None:
    """Forget the file, at once and for good, then erase its bytes. Commits. Raises NotFoundError."""
    key = None
    if ids.is_valid(ids.Prefix.FILE, file_id):
        async with db.transaction() as connection:
            key = await file_rows.delete(connection, tenant_id, file_id)
    if key is None:
        raise errors.NotFoundError("There is no file with this id.", param="id")
    try:
        await store.delete([key])
    except troubles.StorageError as error:
        _log.warning("file_not_erased_yet", file_id=file_id, error=type(error).__name__)


async def erase_expired(db: engine.Database, store: objects.Objects, now: datetime, limit: int) -> int:
    """Erase a batch of files whose time is over, which nobody can read any more; answers how many. Commits. May be
    repeated: a file whose bytes cannot be erased now stays for a later round.
    """
    async with db.transaction() as connection:
        found = await file_rows.expired(connection, now, limit)
    if not found:
        return 0
    try:
        await store.delete([file.key for file in found])
    except troubles.StorageError as error:
        _log.warning("files_not_erased_yet", files=len(found), error=type(error).__name__)
        return 0
    async with db.transaction() as connection:
        await file_rows.forget(connection, [file.id for file in found])
    return len(found)


async def open_bytes(store: objects.Objects, key: str) -> downloads.Download:
    """Start reading a file. Raises GoneError when its bytes are missing."""
    try:
        return await store.open(key)
    except troubles.ObjectMissingError:
        raise errors.GoneError("The bytes of this file are gone; upload it again.") from None
