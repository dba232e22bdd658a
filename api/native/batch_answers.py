"""Batches as callers see them."""

from datetime import datetime
from typing import Any

import pydantic

from api import parts
from api.native import answers
from shared import clock
from shared.domain import batch_rows, batches
from shared.services import reports


class Counts(pydantic.BaseModel):
    """How many rows have which status; they add up to `total` at every moment."""

    total: int
    queued: int
    in_progress: int
    completed: int
    failed: int
    cancelled: int
    expired: int
    invalid: int


class Estimate(pydantic.BaseModel):
    """What the valid rows should come to: at the cheapest endpoints, and at the dearest."""

    input_tokens: int
    output_tokens: int
    least_cost: answers.Usd
    least_cost_micros: answers.Micros
    most_cost: answers.Usd
    most_cost_micros: answers.Micros
    seconds: float | None = pydantic.Field(description="From the model's usual time; a rough guess")


class BatchError(pydantic.BaseModel):
    """Why the file could not be run; while `ready`: why it was not started."""

    code: str
    message: str


class ResultFile(pydantic.BaseModel):
    """A file written to the bucket when the batch closed."""

    name: str
    key: str
    media_type: str
    size_bytes: int
    sha256: str


class ErrorGroup(pydantic.BaseModel):
    """How many rows have this error."""

    status: batch_rows.RowStatus
    code: str
    column: str | None
    count: int


class Batch(pydantic.BaseModel):
    """A batch as it is now."""

    id: str
    status: batches.BatchStatus
    model: str | None
    source: str = pydantic.Field(description="The name of the file")
    columns: list[str] | None = pydantic.Field(description="The input's columns; null until it was read")
    counts: Counts
    generation: int = pydantic.Field(description="How often failed rows were run again")
    estimate: Estimate
    cost: answers.Usd
    cost_micros: answers.Micros
    rows_per_second: float | None
    seconds_left: float | None
    error: BatchError | None
    notes: list[str]
    files: list[ResultFile]
    dry_run: bool
    on_invalid: batches.OnInvalid
    priority: int
    max_concurrency: int | None
    webhook_url: str | None
    metadata: dict[str, str]
    clone_of: str | None
    polling_url: str
    created_at: datetime
    validated_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    erased_at: datetime | None = pydantic.Field(
        description="Since when rows and input are gone; the files of its results are kept"
    )


class BatchWithErrors(Batch):
    """A batch with its errors grouped."""

    errors: list[ErrorGroup]


class RowError(pydantic.BaseModel):
    """One faulty row: the number of the row, and the line of the file it begins in."""

    row: int
    line: int
    status: batch_rows.RowStatus
    column: str | None
    code: str
    message: str


class Report(pydantic.BaseModel):
    """What a dry run found."""

    batch: BatchWithErrors
    samples: list[dict[str, Any]] = pydantic.Field(description="The first requests, as they would be sent")
    faulty: list[RowError] = pydantic.Field(description="The first 1,000; `counts.invalid` counts all")
    budget_suffices: bool | None = pydantic.Field(
        description="Whether the dearest case fits the budget; null: no budget"
    )


def batch(given: parts.Parts, found: batches.Batch) -> Batch:
    """A batch for callers."""
    return Batch(**_fields(given, found))


def with_errors(given: parts.Parts, found: batches.Batch, groups: list[dict[str, Any]]) -> BatchWithErrors:
    """A batch with its errors grouped."""
    return BatchWithErrors(**_fields(given, found), errors=[group(item) for item in groups])


def row_error(row: batch_rows.Row) -> RowError:
    """One faulty row."""
    return RowError(
        row=row.number,
        line=row.line,
        status=row.status,
        column=row.error_column,
        code=row.error_code or "",
        message=row.error_message or "",
    )


def group(item: dict[str, Any]) -> ErrorGroup:
    """One kind of error."""
    return ErrorGroup(status=item["status"], code=item["error_code"], column=item["error_column"], count=item["count"])


_SAME_NAME = (
    *("id", "status", "generation", "cost_micros", "notes", "clone_of"),
    *("created_at", "validated_at", "started_at", "finished_at", "deadline_at", "erased_at"),
)


def _fields(given: parts.Parts, found: batches.Batch) -> dict[str, Any]:
    pace = reports.pace(found, clock.now())
    return {name: getattr(found, name) for name in _SAME_NAME} | {
        "model": found.recipe.model,
        "source": found.source_name,
        "columns": list(found.layout.columns) if found.layout else None,
        "counts": Counts(**{name: getattr(found.counts, name) for name in Counts.model_fields}),
        "estimate": _estimate(given, found),
        "cost": answers.usd(found.cost_micros),
        "rows_per_second": pace.rows_per_second,
        "seconds_left": pace.seconds_left,
        "error": BatchError(code=found.error_code, message=found.error_message or "") if found.error_code else None,
        "files": [ResultFile(**_file(item)) for item in found.files],
        "dry_run": found.wishes.dry_run,
        "on_invalid": found.wishes.on_invalid,
        "priority": found.wishes.priority,
        "max_concurrency": found.wishes.max_concurrency,
        "webhook_url": found.wishes.webhook_url,
        "metadata": dict(found.wishes.metadata),
        "polling_url": given.url(f"/v1/batches/{found.id}"),
    }


def _file(item: batches.ResultFile) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ResultFile.model_fields}


def _estimate(given: parts.Parts, found: batches.Batch) -> Estimate:
    quote = found.quote
    return Estimate(
        input_tokens=quote.input_tokens,
        output_tokens=quote.output_tokens,
        least_cost=answers.usd(quote.least_micros),
        least_cost_micros=quote.least_micros,
        most_cost=answers.usd(quote.most_micros),
        most_cost_micros=quote.most_micros,
        seconds=reports.seconds(found, given.catalog),
    )
