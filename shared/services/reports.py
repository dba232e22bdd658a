"""What is told about a batch: how fast it goes, what is faulty, what a dry run found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db import engine
from shared.db import results as result_rows
from shared.domain import batch_rows, batches, models, recipes, requests, slices
from shared.services import batches as batch_services
from shared.services import reservations

SHOWN_FAULTS = 1000
SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows that ended a second since the generation was started, and what is left at that speed."""

    rows_per_second: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a dry run found. `samples` are the first requests as they would be sent; `budget_suffices` is None if there
    is no budget.
    """

    batch: batches.Batch
    groups: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    faulty: list[batch_rows.Row]
    budget_suffices: bool | None


@dataclass(frozen=True, slots=True)
class FaultPage:
    """Some faulty rows; go on after row `next_cursor`."""

    rows: list[batch_rows.Row]
    next_cursor: int | None


def pace(batch: batches.Batch, now: datetime) -> Pace:
    """How fast the batch goes."""
    if batch.started_at is None or batch.reset_cursor is not None:
        return Pace()
    counts = batch.counts
    seconds = ((batch.finished_at or now) - batch.started_at).total_seconds()
    done = counts.completed + counts.failed
    if seconds <= 0 or not done:
        return Pace()
    rate = done / seconds
    left = 0.0 if batch.status in batches.OVER else counts.open / rate
    return Pace(round(rate, 3), round(left, 1))


def seconds(batch: batches.Batch, catalog: models.Catalog) -> float | None:
    """How long the rows should take by the model's usual time; None if rows name models of their own."""
    model = catalog.models.get(batch.recipe.model or "")
    if model is None:
        return None
    limit = max((offer.limits.concurrency for offer in model.endpoints), default=slices.USUAL_CONCURRENCY)
    at_once = min(batch.wishes.max_concurrency or limit, limit)
    return round((batch.counts.total - batch.counts.invalid) * model.usual_seconds / at_once, 1)


async def with_groups(db: engine.Database, tenant_id: str, batch_id: str) -> tuple[batches.Batch, list[dict[str, Any]]]:
    """The batch and how many rows have which error. Raises NotFoundError."""
    async with db.transaction() as connection:
        batch = await batch_services.find(connection, tenant_id, batch_id)
        return batch, await _groups(connection, batch)


async def report(
    db: engine.Database, tenant_id: str, batch_id: str, catalog: models.Catalog, usable: frozenset[str], now: datetime
) -> Report:
    """What was found in the batch's file. Raises NotFoundError."""
    async with db.transaction() as connection:
        batch = await batch_services.find(connection, tenant_id, batch_id)
        batch_services.must_be_kept(batch)
        first = await result_rows.first_rows(connection, batch, SAMPLES)
        faulty = await result_rows.faulty(connection, batch, 0, SHOWN_FAULTS)
        groups = await _groups(connection, batch)
        suffices = await reservations.suffices(connection, batch, now)
    usable = batches.reach(catalog, usable, is_test=batch.is_test)
    return Report(batch, groups, samples(batch, first, catalog, usable), faulty, suffices)


async def faults(
    db: engine.Database, tenant_id: str, batch_id: str, after: int, limit: int
) -> tuple[batches.Batch, list[dict[str, Any]], FaultPage]:
    """A page of the rows with errors, in the order of the input. Raises NotFoundError."""
    async with db.transaction() as connection:
        batch = await batch_services.find(connection, tenant_id, batch_id)
        batch_services.must_be_kept(batch)
        found = await result_rows.faulty(connection, batch, after, limit + 1)
        groups = await _groups(connection, batch)
    shown = found[:limit]
    return batch, groups, FaultPage(shown, shown[-1].number if len(found) > limit else None)


async def _groups(connection: engine.Connection, batch: batches.Batch) -> list[dict[str, Any]]:
    counts = batch.counts
    if not counts.invalid + counts.failed + counts.cancelled + counts.expired:
        return []
    return await result_rows.error_groups(connection, batch)


def samples(
    batch: batches.Batch, rows: list[batch_rows.Row], catalog: models.Catalog, usable: frozenset[str]
) -> list[dict[str, Any]]:
    """The requests of these rows; those the catalog no longer takes are left out."""
    if batch.layout is None:
        return []
    checker = batch_rows.Checker(batch.recipe, batch.layout, catalog, usable)
    made = []
    for row in rows:
        try:
            _, request = checker.request(row.cells)
        except recipes.RowFaultError:
            continue
        made.append(requests.store(request))
    return made
