"""`/v1/batches`: a file of rows in, a file of results out."""

from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, bodies, errors, idempotency, parts, routing
from api.native import batch_answers, batch_bodies, batch_uploads
from shared import clock, ids
from shared import errors as faults
from shared.domain import batches
from shared.services import batches as batch_services
from shared.services import reports

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["batches"])

EXAMPLE_ID = "bat_01k0zqj5w3m8v4t2c6n0000000"
BatchId = Annotated[str, fastapi.Path(examples=[EXAMPLE_ID])]
_FIELDS = {"$ref": "#/components/schemas/BatchFields"}
_FORM = {"allOf": [_FIELDS, {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}]}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {
                "schema": {
                    "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("BatchFromUrl", "BatchFromFile")]
                }
            },
        },
    }
}


class BatchPage(pydantic.BaseModel):
    """One page, newest first. Ask for the next with `cursor=next_cursor`."""

    data: list[batch_answers.Batch]
    has_more: bool
    next_cursor: str | None = pydantic.Field(examples=[EXAMPLE_ID])


class CloneBody(pydantic.BaseModel):
    """What is to be different in the clone."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    model: Annotated[str | None, pydantic.Field(min_length=1, max_length=200)] = None
    dry_run: bool = False


class ErrorPage(pydantic.BaseModel):
    """Faulty rows in the order of the input, with all of them counted by group."""

    groups: list[batch_answers.ErrorGroup]
    data: list[batch_answers.RowError]
    has_more: bool
    next_cursor: int | None


@router.post(
    "/v1/batches",
    status_code=202,
    operation_id="create_batch",
    openapi_extra=_BODY,
    response_model=batch_answers.Batch,
    responses=errors.documented(400, 401, 404, 413, 415),
)
async def create_batch(
    request: fastapi.Request, caller: auth.Authenticated, given: parts.Given, key: idempotency.OfUpload
) -> fastapi.Response:
    """Take a CSV, TSV, JSON Lines or Excel file (a form with `file`, or JSON with its `url` or `input_file_id`) and
    answer at once. The file is then read; poll until `status` is `ready` (with `dry_run`) or later.
    """
    if idempotency.is_upload(request):
        answer = await _of_form(request, caller, given, key)
    else:
        bodies.check_media_type(request)
        fields = batch_bodies.of_json(await request.json())
        answer = _made(given, await batch_uploads.of_json(given, caller, fields))
    given.hints.give()
    return answer


async def _of_form(
    request: fastapi.Request, caller: auth.Caller, given: parts.Parts, key: str | None
) -> fastapi.Response:
    """A replay leaves the first batch as it is, and its own file is removed."""
    async with batch_uploads.of_form(request, given, caller) as upload:
        if key is None:
            return _made(given, await upload.make(given))
        once = idempotency.of_content(request, caller, key, upload.content)
        return await idempotency.answer_once(
            request, given.db, caller.tenant_id, once, lambda: _answer_of(given, upload)
        )


async def _answer_of(given: parts.Parts, upload: batch_uploads.Upload) -> fastapi.Response:
    return _made(given, await upload.make(given))


def _made(given: parts.Parts, batch: batches.Batch) -> fastapi.Response:
    body = batch_answers.batch(given, batch).model_dump_json()
    location = {"Location": given.url(f"/v1/batches/{batch.id}")}
    return fastapi.Response(body, 202, location, "application/json")


@router.get("/v1/batches", operation_id="list_batches", responses=errors.documented(400, 401))
async def list_batches(
    caller: auth.Authenticated,
    given: parts.Given,
    status: Annotated[list[batches.BatchStatus], fastapi.Query(description="May be repeated: any of these")] = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, fastapi.Query(description="`next_cursor` of the page before")] = None,
) -> BatchPage:
    """Your batches, newest first."""
    if cursor is not None and not ids.is_valid(ids.Prefix.BATCH, cursor):
        raise faults.InvalidRequestError("Send the `next_cursor` of a page as it is.", param="cursor")
    page = await batch_services.list_page(given.db, caller.tenant_id, frozenset(status), cursor, limit)
    data = [batch_answers.batch(given, item) for item in page.batches]
    return BatchPage(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)


@router.get("/v1/batches/{batch_id}", operation_id="get_batch", responses=errors.documented(400, 401, 404))
async def get_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.BatchWithErrors:
    """A batch as it is now: counts, speed, cost, and its errors by code."""
    found, groups = await reports.with_groups(given.db, caller.tenant_id, batch_id)
    return batch_answers.with_errors(given, found, groups)


@router.get(
    "/v1/batches/{batch_id}/report", operation_id="get_batch_report", responses=errors.documented(400, 401, 404, 410)
)
async def get_report(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Report:
    """What was found in the file: columns, the first requests, every kind of fault, the price."""
    catalog = given.catalog
    usable = given.usable_providers(catalog)
    found = await reports.report(given.db, caller.tenant_id, batch_id, catalog, usable, clock.now())
    return batch_answers.Report(
        batch=batch_answers.with_errors(given, found.batch, found.groups),
        samples=found.samples,
        faulty=[batch_answers.row_error(row) for row in found.faulty],
        budget_suffices=found.budget_suffices,
    )


@router.get(
    "/v1/batches/{batch_id}/errors", operation_id="get_batch_errors", responses=errors.documented(400, 401, 404, 410)
)
async def get_errors(
    batch_id: BatchId,
    caller: auth.Authenticated,
    given: parts.Given,
    limit: Annotated[int, fastapi.Query(ge=1, le=1000)] = 1000,
    cursor: Annotated[
        int, fastapi.Query(ge=0, le=batches.MOST_ROWS, description="`next_cursor` of the page before")
    ] = 0,
) -> ErrorPage:
    """Every row with an error: where, in which column, and what to do."""
    _, groups, page = await reports.faults(given.db, caller.tenant_id, batch_id, cursor, limit)
    return ErrorPage(
        groups=[batch_answers.group(item) for item in groups],
        data=[batch_answers.row_error(row) for row in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


_CHANGED: dict[int | str, dict[str, Any]] = errors.documented(400, 401, 404, 409, 410)
_BEGUN: dict[int | str, dict[str, Any]] = errors.documented(400, 401, 402, 404, 409, 410)


@router.post("/v1/batches/{batch_id}/start", operation_id="start_batch", responses=_BEGUN)
async def start_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Batch:
    """Begin to run a batch that was only tried (`dry_run`), or that the budget did not allow. May be repeated."""
    return _moved(given, await batch_services.start(given.db, caller.sender, batch_id, clock.now()))


@router.post("/v1/batches/{batch_id}/pause", operation_id="pause_batch", responses=_CHANGED)
async def pause_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Batch:
    """Ask for no more rows until `resume`; those under way end. May be repeated."""
    return _moved(given, await batch_services.pause(given.db, caller.tenant_id, batch_id))


@router.post("/v1/batches/{batch_id}/resume", operation_id="resume_batch", responses=_CHANGED)
async def resume_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Batch:
    """Go on after a pause. May be repeated."""
    return _moved(given, await batch_services.resume(given.db, caller.sender, batch_id))


@router.post("/v1/batches/{batch_id}/cancel", operation_id="cancel_batch", responses=_CHANGED)
async def cancel_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Batch:
    """Cancel every row that has no outcome; rows under way end as they do. May be repeated."""
    return _moved(given, await batch_services.cancel(given.db, caller.tenant_id, batch_id))


@router.post("/v1/batches/{batch_id}/retry", operation_id="retry_batch", responses=_BEGUN)
async def retry_batch(batch_id: BatchId, caller: auth.Authenticated, given: parts.Given) -> batch_answers.Batch:
    """Run the failed, cancelled and expired rows again, and only those. They get new job ids; the old ones stay."""
    return _moved(given, await batch_services.retry(given.db, caller.sender, batch_id, clock.now()))


@router.post("/v1/batches/{batch_id}/clone", status_code=202, operation_id="clone_batch", responses=_CHANGED)
async def clone_batch(
    batch_id: BatchId, body: CloneBody, caller: auth.Authenticated, given: parts.Given
) -> batch_answers.Batch:
    """Read the same file as a new batch of your key, with another model if you name one."""
    old = await batch_services.get(given.db, caller.tenant_id, batch_id)
    batch_uploads.check_model(given, caller, body.model or old.recipe.model)
    wish = batch_services.Clone(body.model, body.dry_run)
    return _moved(given, await batch_services.clone(given.db, caller.sender, batch_id, wish, clock.now()))


def _moved(given: parts.Parts, batch: batches.Batch) -> batch_answers.Batch:
    given.hints.give()
    given.news.tell(batch.id, batch.tenant_id)
    return batch_answers.batch(given, batch)
