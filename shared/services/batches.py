"""What a caller may do with a batch: make, see, list, start, pause, resume, cancel, retry, clone."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared import errors, ids
from shared.db import batches as batch_tables
from shared.db import engine
from shared.domain import batches, recipes
from shared.outbound import downloads
from shared.services import acceptance, readings

_S = batches.BatchStatus


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Newest first. `next_cursor` asks for the page after this one; None on the last."""

    batches: tuple[batches.Batch, ...]
    next_cursor: str | None


async def create(db: engine.Database, new: batches.NewBatch) -> batches.Batch:
    """Store a batch whose file is to be read. Commits."""
    async with db.transaction() as connection:
        return await batch_tables.insert(connection, new)


async def get(db: engine.Database, tenant_id: str, batch_id: str) -> batches.Batch:
    """The batch as it is now. Raises NotFoundError for what the tenant does not have."""
    async with db.transaction() as connection:
        return await find(connection, tenant_id, batch_id)


async def list_page(
    db: engine.Database, tenant_id: str, statuses: frozenset[_S], cursor: str | None, limit: int
) -> BatchPage:
    """One page of the tenant's batches, newest first."""
    async with db.transaction() as connection:
        found = await batch_tables.page(connection, tenant_id, statuses, cursor, limit + 1)
    shown = found[:limit]
    return BatchPage(tuple(shown), shown[-1].id if len(found) > limit else None)


async def start(db: engine.Database, by: acceptance.Sender, batch_id: str, now: datetime) -> batches.Batch:
    """Begin to run a batch that was only tried. Commits. May be repeated. Raises NotFoundError, ForbiddenError for a
    live batch and a test key, ConflictError, BudgetExceededError; then nothing has changed.
    """
    async with db.transaction() as connection:
        batch = await _find_to_run(connection, by, batch_id)
        if batch.status in (_S.IN_PROGRESS, _S.PAUSED):
            return batch
        if batch.status is not _S.READY:
            raise _conflict(batch, "only a batch that is ready can be started")
        if batch.counts.invalid and batch.wishes.on_invalid is batches.OnInvalid.REJECT:
            raise errors.ConflictError(
                f"{batch.counts.invalid} rows are faulty and on_invalid is reject; mend them and send the file again.",
                details={"invalid": batch.counts.invalid},
            )
        return await readings.start(connection, batch, now) or batch


async def pause(db: engine.Database, tenant_id: str, batch_id: str) -> batches.Batch:
    """Ask for no more rows; those in the air end. Commits. May be repeated. Raises NotFoundError, ConflictError."""
    return await _move(db, tenant_id, batch_id, _S.PAUSED, "only a running batch can be paused")


async def resume(db: engine.Database, by: acceptance.Sender, batch_id: str) -> batches.Batch:
    """Go on after a pause. Commits. May be repeated. Raises NotFoundError, ForbiddenError, ConflictError."""
    async with db.transaction() as connection:
        batch = await _find_to_run(connection, by, batch_id)
        if batch.status is _S.IN_PROGRESS:
            return batch
        if batch.status is not _S.PAUSED:
            raise _conflict(batch, "only a paused batch can be resumed")
        return await batch_tables.change(connection, batch.number, _S.IN_PROGRESS) or batch


async def cancel(db: engine.Database, tenant_id: str, batch_id: str) -> batches.Batch:
    """Cancel every row that has no outcome; rows in the air end as they do. Commits. May be repeated.
    Raises NotFoundError, and ConflictError for a batch that ended otherwise.
    """
    async with db.transaction() as connection:
        batch = await find(connection, tenant_id, batch_id, for_update=True)
        if batch.ends_as is _S.CANCELLED and batch.status in (_S.CANCELLING, _S.FINALIZING, _S.CANCELLED):
            return batch
        changed = await batch_tables.change(connection, batch.number, _S.CANCELLING, ends_as=_S.CANCELLED)
        if changed is None:
            raise _conflict(batch, "it can no longer be cancelled")
        return changed


async def retry(db: engine.Database, by: acceptance.Sender, batch_id: str, now: datetime) -> batches.Batch:
    """Run the failed, cancelled and expired rows again, as a new generation; their old outcomes are kept. Commits.
    Raises NotFoundError, ForbiddenError for a live batch and a test key, ConflictError while the batch runs or when
    there is nothing to run, BudgetExceededError.
    """
    async with db.transaction() as connection:
        batch = await _find_to_run(connection, by, batch_id)
        counts = batch.counts
        must_be_kept(batch)
        if batch.status not in batches.OVER or batch.validated_at is None or batch.status is _S.FAILED:
            raise _conflict(batch, "only a batch that was run and is over can be retried")
        if not counts.failed + counts.cancelled + counts.expired:
            raise errors.ConflictError("No row failed or was cancelled; there is nothing to run again.")
        if batch.generation >= batches.MOST_GENERATIONS:
            raise errors.ConflictError("The batch was retried too often; clone it.")
        started = await readings.start(
            connection,
            batch,
            now,
            generation=batch.generation + 1,
            ends_as=_S.COMPLETED,
            finished_at=None,
            reset_cursor=0,
            cursor=max(batch.cursor, counts.total),
        )
        return started or batch


async def clone(
    db: engine.Database, by: acceptance.Sender, batch_id: str, wish: "Clone", now: datetime
) -> batches.Batch:
    """Read the same file as a new batch of the key that clones it: its mode, its budgets, its limits; with another
    model if one is named. Commits. Raises NotFoundError, ConflictError.
    """
    async with db.transaction() as connection:
        batch = await find(connection, by.tenant_id, batch_id)
        must_be_kept(batch)
        if batch.status is _S.VALIDATING and batch.source_url is not None:
            raise _conflict(batch, "its file has not been fetched yet")
        recipe = batch.recipe.model_copy(update={"model": wish.model} if wish.model else {})
        new = batches.NewBatch(
            id=batches.new_id(),
            tenant_id=by.tenant_id,
            key_id=by.key_id,
            is_test=by.is_test,
            created_at=now,
            recipe=recipes.Recipe.model_validate(recipe.model_dump(exclude_defaults=True)),
            wishes=replace(batch.wishes, dry_run=wish.dry_run),
            options=batch.options,
            source_name=batch.source_name,
            source_key=batch.source_key,
            clone_of=batch.id,
            webhook_origin=downloads.origin(batch.wishes.webhook_url) if batch.wishes.webhook_url else None,
        )
        return await batch_tables.insert(connection, new)


@dataclass(frozen=True, slots=True)
class Clone:
    """What is to be different in a clone."""

    model: str | None = None
    dry_run: bool = False


async def find(
    connection: engine.Connection, tenant_id: str, batch_id: str, *, for_update: bool = False
) -> batches.Batch:
    """The tenant's batch. Raises NotFoundError."""
    batch = None
    if ids.is_valid(ids.Prefix.BATCH, batch_id):
        batch = await batch_tables.get(connection, tenant_id, batch_id, for_update=for_update)
    if batch is None:
        raise errors.NotFoundError
    return batch


def must_be_kept(batch: batches.Batch) -> None:
    """Raise GoneError for a batch whose rows and input were deleted because it was over for long."""
    if batch.erased_at is not None:
        raise errors.GoneError(
            "The rows of this batch were deleted after their retention; the files of its results are kept.",
            details={"erased_at": batch.erased_at.isoformat(), "files": [file.name for file in batch.files]},
        )


async def _find_to_run(connection: engine.Connection, by: acceptance.Sender, batch_id: str) -> batches.Batch:
    """The batch, locked, for a key that may have its rows asked."""
    batch = await find(connection, by.tenant_id, batch_id, for_update=True)
    if by.is_test and not batch.is_test:
        raise errors.ForbiddenError("A test key cannot run a live batch; clone it to try it in the sandbox.")
    return batch


async def _move(db: engine.Database, tenant_id: str, batch_id: str, status: _S, otherwise: str) -> batches.Batch:
    async with db.transaction() as connection:
        batch = await find(connection, tenant_id, batch_id, for_update=True)
        if batch.status is status:
            return batch
        changed = await batch_tables.change(connection, batch.number, status)
        if changed is None:
            raise _conflict(batch, otherwise)
        return changed


def _conflict(batch: batches.Batch, otherwise: str) -> errors.ConflictError:
    return errors.ConflictError(f"The batch is {batch.status}; {otherwise}.", details={"status": batch.status})
