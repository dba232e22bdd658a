"""Batches: a file up, what it would cost, the run, and the results down."""

from typing import Annotated

import fastapi

from api import auth, parts
from api.dashboard import first_rows, pages
from api.native import batch_answers, batch_results, batch_uploads
from api.native import batches as batch_routes
from shared import errors
from shared.domain import batches
from shared.services import results

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)
# Whose batches may change by themselves.
_MOVING = frozenset(
    {
        *(batches.BatchStatus.VALIDATING, batches.BatchStatus.IN_PROGRESS, batches.BatchStatus.CANCELLING),
        *(batches.BatchStatus.EXPIRING, batches.BatchStatus.FINALIZING),
    }
)
_ACTIONS = {
    "start": batch_routes.start_batch,
    "pause": batch_routes.pause_batch,
    "resume": batch_routes.resume_batch,
    "cancel": batch_routes.cancel_batch,
    "retry": batch_routes.retry_batch,
}


@router.get("/batches")
async def list_batches(
    request: fastapi.Request, caller: auth.Authenticated, given: parts.Given, cursor: str | None = None
) -> fastapi.Response:
    """The newest batches."""
    page = await batch_routes.list_batches(caller, given, [], 30, cursor)
    moving = any(item.status in _MOVING for item in page.data)
    return pages.show(request, "batches.html", page=page, moving=moving, cursor=cursor)


@router.get("/batches/new")
async def form(request: fastapi.Request, _caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Choose a file and say what is to be made of each row."""
    return pages.show(request, "batch-new.html", models=sorted(given.catalog.models))


@router.post("/batches")
async def create(request: fastapi.Request, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Take the file and try it; nothing runs before somebody starts it. The form is sent by our script, its token in a
    header, so that the file can be read as it arrives.
    """
    async with batch_uploads.of_form(request, given, caller) as upload:
        made = await upload.make(given)
    given.hints.give()
    return pages.go_on(request, f"/batches/{made.id}")


@router.get("/batches/{batch_id}")
async def one(
    request: fastapi.Request, batch_id: str, caller: auth.Authenticated, given: parts.Given
) -> fastapi.Response:
    """How far it is, what it found, what it cost, and its errors by kind."""
    shown = await batch_routes.get_batch(batch_id, caller, given)
    tried = shown.status in (batches.BatchStatus.READY, batches.BatchStatus.FAILED)
    report: batch_answers.Report | None = await batch_routes.get_report(batch_id, caller, given) if tried else None
    over = shown.finished_at is not None
    rows = await first_rows.of(given, caller, batch_id) if over and shown.counts.completed else None
    return pages.show(
        request,
        "batch.html",
        batch=shown,
        rows=rows,
        report=report,
        moving=shown.status in _MOVING,
        forms=list(results.Form),
        over=over,
    )


@router.get("/batches/{batch_id}/results")
async def download(
    batch_id: str,
    caller: auth.Authenticated,
    given: parts.Given,
    wanted: Annotated[results.Wanted, fastapi.Depends(batch_results.wanted)],
) -> fastapi.Response:
    """The rows with what came of them."""
    return await batch_results.get_results(batch_id, caller, given, wanted)


@router.post("/batches/{batch_id}/{action}")
async def act(batch_id: str, action: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """Start, pause, resume, cancel, or run the failed rows again."""
    if action not in _ACTIONS:
        raise errors.NotFoundError
    await _ACTIONS[action](batch_id, caller, given)
    return pages.go(f"/batches/{batch_id}")
