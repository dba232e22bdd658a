"""The list of jobs, one job, and what may be done with them: each the same call that the API makes."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

import fastapi

from api import auth, parts
from api.dashboard import filters, pages, snippets, timelines
from api.native import jobs as job_routes
from api.native import outputs as output_routes
from shared import clock, errors
from shared.domain import outputs, states
from shared.services import deliveries, jobs
from shared.storage import troubles

PAGE = 30
# One click does as much as this; the page says when more is left.
BULK = 200
SHOWN_PROMPT_CHARACTERS = 120
SHOWN_TEXT_BYTES = 100_000
DELIVERIES = 20

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)

_Action = Callable[[parts.Parts, auth.Caller, str], Awaitable[object]]


@router.get("/")
async def list_jobs(
    request: fastapi.Request, caller: auth.Authenticated, given: parts.Given, cursor: str | None = None
) -> fastapi.Response:
    """The newest jobs that fit the filters, which are in the URL."""
    wanted = filters.of(request.query_params)
    page = await jobs.list_page(given.db, caller.tenant_id, wanted.wanted(clock.now()), cursor, PAGE)
    ids = [item.job.id for item in page.listed]
    catalog = given.catalog
    return pages.show(
        request,
        "jobs.html",
        page=page,
        prompts=await jobs.prompts(given.db, caller.tenant_id, ids, SHOWN_PROMPT_CHARACTERS),
        filters=wanted,
        kinds=list(states.Kind),
        statuses=list(states.JobStatus),
        models=sorted(catalog.models),
        providers=sorted(catalog.providers),
        cursor=cursor,
        told=_told(request.query_params.get("told", "")),
    )


def _told(text: str) -> str:
    """What an action came to. A link of somebody else's must not make the page say anything it likes."""
    return text if re.fullmatch(r"(cancel|rerun|delete): \d{1,3} of \d{1,3}", text) else ""


@router.post("/jobs/actions")
async def act_on_many(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Cancel, rerun or delete the jobs that are marked, or all that fit the filters. What cannot be is left alone."""
    form = await request.form()
    wanted = filters.of(form)
    action = _ACTIONS.get(str(form.get("action")))
    if action is None:
        raise errors.InvalidRequestError("There is no such action.", param="action", accepted=sorted(_ACTIONS))
    if form.get("reach") == "all":
        page = await jobs.list_page(given.db, caller.tenant_id, wanted.wanted(clock.now()), None, BULK)
        ids = [item.job.id for item in page.listed]
    else:
        ids = [str(item) for item in form.getlist("job")][:BULK]
    done = sum([await _tried(action, given, caller, job_id) for job_id in ids])
    told = f"{form.get('action')}: {done} of {len(ids)}"
    return pages.go(f"/?{wanted.query}&told={told}" if wanted.any else f"/?told={told}")


async def _tried(action: _Action, given: parts.Parts, caller: auth.Caller, job_id: str) -> int:
    with contextlib.suppress(errors.ConflictError, errors.NotFoundError, errors.GoneError, errors.InvalidRequestError):
        await action(given, caller, job_id)
        return 1
    return 0


@router.get("/jobs/{job_id}")
async def one_job(
    request: fastapi.Request, job_id: str, caller: auth.Authenticated, given: parts.Given
) -> fastapi.Response:
    """Everything about one job."""
    view = await jobs.get(given.db, caller.tenant_id, job_id, with_request=True)
    history = await jobs.history(given.db, caller.tenant_id, job_id)
    public_url, body = given.settings.public_url.rstrip("/"), view.request or {}
    return pages.show(
        request,
        "job.html",
        job=view.job,
        view=view,
        files=_by_number(view.outputs),
        texts=await _texts(given, view),
        timeline=timelines.of(view, history),
        told=await deliveries.list_page(
            given.db, caller.tenant_id, deliveries.Filter(subject_id=job_id), None, DELIVERIES
        ),
        curl=snippets.curl(public_url, view.job.kind, body),
        python=snippets.python(public_url, view.job.kind, body),
        active=view.job.status in states.ACTIVE,
    )


@router.get("/jobs/{job_id}/outputs/{number}")
async def output(
    request: fastapi.Request,
    job_id: str,
    number: str,
    caller: auth.Authenticated,
    given: parts.Given,
    variant: outputs.Variant = outputs.Variant.MAIN,
) -> fastapi.Response:
    """The bytes themselves: pages take nothing from another host, not even from the bucket."""
    return await output_routes.get_output(request, job_id, number, caller, given, variant, stream=True)


@router.post("/jobs/{job_id}/{action}")
async def act(job_id: str, action: str, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Cancel, rerun or delete one job; rerun goes on to the new one."""
    if action not in _ACTIONS:
        raise errors.NotFoundError
    shown = await _ACTIONS[action](given, caller, job_id)
    return pages.go(f"/jobs/{shown}")


async def _cancel(given: parts.Parts, caller: auth.Caller, job_id: str) -> str:
    return (await job_routes.cancel_job(job_id, caller, given, fastapi.Response())).id


async def _rerun(given: parts.Parts, caller: auth.Caller, job_id: str) -> str:
    return (await job_routes.rerun_job(job_id, caller, None, given, fastapi.Response())).id


async def _delete(given: parts.Parts, caller: auth.Caller, job_id: str) -> str:
    return (await job_routes.delete_job(job_id, caller, given)).id


_ACTIONS: dict[str, Callable[[parts.Parts, auth.Caller, str], Awaitable[str]]] = {
    "cancel": _cancel,
    "rerun": _rerun,
    "delete": _delete,
}

_Files = dict[int, dict[outputs.Variant, outputs.Output]]


def _by_number(made: tuple[outputs.Output, ...]) -> _Files:
    files: _Files = {}
    for item in made:
        files.setdefault(item.number, {})[item.variant] = item
    return files


async def _texts(given: parts.Parts, view: jobs.JobView) -> dict[int, str]:
    """The texts among the outputs, by number, as far as a page should show them."""
    there = [o for o in view.outputs if o.media_type.startswith(("text/", "application/json")) and not o.deleted_at]
    return {output.number: await _text(given, output) for output in there}


async def _text(given: parts.Parts, output: outputs.Output) -> str:
    last = min(output.size_bytes, SHOWN_TEXT_BYTES) - 1
    if last < 0:
        return ""
    try:
        async with asyncio.timeout(5):
            download = await given.store.open(output.key, f"bytes=0-{last}")
            body = b"".join([chunk async for chunk in download.chunks])
    except (troubles.StorageError, TimeoutError):
        return "(The storage does not answer now.)"
    return body.decode(errors="replace")


Compared = Annotated[list[str], fastapi.Query(max_length=4)]


@router.get("/compare")
async def compare(
    request: fastapi.Request, caller: auth.Authenticated, given: parts.Given, job: Compared
) -> fastapi.Response:
    """Up to four jobs side by side."""
    views = [await jobs.get(given.db, caller.tenant_id, job_id, with_request=True) for job_id in job]
    texts = [await _texts(given, view) for view in views]
    shown = [(view, _by_number(view.outputs), text) for view, text in zip(views, texts, strict=True)]
    active = any(view.job.status in states.ACTIVE for view in views)
    return pages.show(request, "compare.html", shown=shown, active=active)
