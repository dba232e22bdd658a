"""`/openai/v1/batches`: the lines of an uploaded file are the rows of a batch of ours."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, bodies, forms, parts, routing
from api.openai import batch_files
from shared import clock, errors, ids
from shared.domain import batches, recipes, sheets
from shared.services import batches as batch_services
from shared.services import files

# Checked as our own routes: the answer is kept with its Idempotency-Key.
router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.CheckedRoute, include_in_schema=False)

ENDPOINTS = ("/v1/chat/completions", "/v1/images/generations", "/v1/videos")
LONGEST_WINDOW_SECONDS = 7 * 86400
_WINDOW = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_S = batches.BatchStatus
_STATUSES = {_S.READY: "in_progress", _S.PAUSED: "in_progress", _S.EXPIRING: "in_progress"}
# What our codes are called in `errors`.
_CODES = {"budget_exceeded": "insufficient_quota"}


class _Fields(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: (
        dict[Annotated[str, pydantic.Field(max_length=64)], Annotated[str, pydantic.Field(max_length=512)]] | None
    ) = pydantic.Field(None, max_length=16)


@router.post("/batches")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Run every line of a file. The lines are read by a worker; a faulty one does not stop the others."""
    bodies.check_media_type(request)
    sent = await request.json()
    forms.refuse_unless_neutral(sent, {"output_expires_after": ()})
    sent.pop("output_expires_after", None)
    fields = forms.parse(_Fields, sent)
    if fields.endpoint not in ENDPOINTS:
        raise errors.UnsupportedValueError(
            "This endpoint cannot be used in a batch here.", param="endpoint", accepted=ENDPOINTS
        )
    now = clock.now()
    file = await files.get(given.db, caller.tenant_id, fields.input_file_id, now)
    window_seconds = _window_seconds(fields.completion_window)
    new = batches.NewBatch(
        id=batches.new_id(),
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        is_test=caller.sender.is_test,
        created_at=now,
        recipe=recipes.Recipe(),
        wishes=batches.Wishes(completion_window_seconds=window_seconds, metadata=fields.metadata or {}),
        options=sheets.Options(form=sheets.Form.JSONL),
        source_name=f"{fields.endpoint} {file.id}",
        source_key=file.key,
    )
    made = await batch_services.create(given.db, new)
    given.hints.give()
    return _answer(made)


def _window_seconds(window: str) -> int:
    found = _WINDOW.fullmatch(window)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_WINDOW_SECONDS:
        raise errors.UnsupportedValueError(
            "The window is written as 24h, and no longer than 7d.", param="completion_window", accepted=["24h", "7d"]
        )
    return seconds


@router.get("/batches")
async def list_batches(
    caller: auth.Authenticated,
    given: parts.Given,
    after: str | None = None,
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Your batches, newest first: those of our own API, too."""
    if after is not None and not ids.is_valid(ids.Prefix.BATCH, after):
        raise errors.InvalidRequestError("There is no batch with this id.", param="after")
    page = await batch_services.list_page(given.db, caller.tenant_id, frozenset(), after, limit)
    data = [_answer(batch) for batch in page.batches]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": page.next_cursor is not None,
    }


@router.get("/batches/{batch_id}")
async def retrieve(batch_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """A batch as it is now."""
    return _answer(await batch_services.get(given.db, caller.tenant_id, batch_id))


@router.post("/batches/{batch_id}/cancel")
async def cancel(batch_id: str, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Cancel every line that was not begun."""
    batch = await batch_services.cancel(given.db, caller.tenant_id, batch_id)
    given.hints.give()
    return _answer(batch)


def _answer(batch: batches.Batch) -> dict[str, Any]:
    endpoint, _, file_id = batch.source_name.partition(" ")
    counts = batch.counts
    failed = counts.total - counts.completed - counts.open
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": endpoint,
        "model": batch.recipe.model,
        "errors": _errors(batch),
        "input_file_id": file_id,
        "completion_window": f"{batch.wishes.completion_window_seconds // 3600}h",
        "status": "failed" if _is_stuck(batch) else _STATUSES.get(batch.status, str(batch.status)),
        "output_file_id": batch_files.id_of(batch, batch_files.Which.OUTPUT),
        "error_file_id": batch_files.id_of(batch, batch_files.Which.ERRORS),
        **_times(batch),
        "request_counts": {"total": counts.total, "completed": counts.completed, "failed": failed},
        "metadata": dict(batch.wishes.metadata) or None,
        "cost_micros": batch.cost_micros,
        "estimate_micros": batch.quote.most_micros,
    }


def _is_stuck(batch: batches.Batch) -> bool:
    """Whether no budget allowed it. Nothing of it was run, or will be by itself: for these clients it has failed."""
    return batch.status is _S.READY and batch.error_code is not None


def _errors(batch: batches.Batch) -> dict[str, Any] | None:
    if batch.status is not _S.FAILED and not _is_stuck(batch):
        return None
    told = {
        "code": _CODES.get(batch.error_code or "", batch.error_code),
        "message": batch.error_message,
        "param": None,
        "line": None,
    }
    return {"object": "list", "data": [told]}


def _times(batch: batches.Batch) -> dict[str, int | None]:
    window = timedelta(seconds=batch.wishes.completion_window_seconds)
    ended = {status: unix(batch.finished_at) if batch.status is status else None for status in batches.OVER}
    return {
        "created_at": unix(batch.created_at),
        "in_progress_at": unix(batch.started_at),
        "expires_at": unix(batch.deadline_at or batch.created_at + window),
        "finalizing_at": None,
        "completed_at": ended[_S.COMPLETED],
        "failed_at": unix(batch.validated_at) if _is_stuck(batch) else ended[_S.FAILED],
        "expired_at": ended[_S.EXPIRED],
        "cancelling_at": None,
        "cancelled_at": ended[_S.CANCELLED],
    }


def unix(moment: datetime | None) -> int | None:
    """Whole seconds since 1970."""
    return None if moment is None else int(moment.timestamp())
