"""`/v1/jobs`: see, list, wait, cancel, run again, delete."""

from typing import Annotated, Literal

import fastapi
import pydantic

from api import accepting, auth, errors, idempotency, moments, parts, routing
from api.native import answers, examples, submissions
from shared import clock, ids
from shared import errors as faults
from shared.domain import listings, states
from shared.services import jobs, waiting

LONGEST_WAIT_SECONDS = 60

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["jobs"])


class JobPage(pydantic.BaseModel):
    """One page, newest first. Ask for the next with `cursor=next_cursor`."""

    data: list[answers.JobSummary]
    has_more: bool
    next_cursor: str | None = pydantic.Field(examples=[examples.JOB_ID])


JobId = Annotated[str, fastapi.Path(examples=[examples.JOB_ID])]
_METADATA = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "description": "`metadata[order]=17` (or `metadata.order=17`): only jobs with this value; several must all fit",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"order": "17"},
}


async def _filter(
    request: fastapi.Request,
    kind: states.Kind | None = None,
    status: Annotated[list[states.JobStatus], fastapi.Query(description="May be repeated: any of these")] = [],  # noqa: B006 - FastAPI copies it
    model: Annotated[str | None, fastapi.Query(max_length=200, description="The model that was asked for")] = None,
    provider: Annotated[str | None, fastapi.Query(max_length=200, description="The provider that served it")] = None,
    created_after: Annotated[moments.Moment | None, fastapi.Query(examples=["2026-07-25T00:00:00Z"])] = None,
    created_before: Annotated[moments.Moment | None, fastapi.Query(examples=["2026-07-26T00:00:00Z"])] = None,
) -> listings.JobFilter:
    return listings.JobFilter(
        kind=kind,
        statuses=frozenset(status),
        model=model,
        provider=provider,
        created_after=created_after,
        created_before=created_before,
        metadata=routing.members(request, "metadata"),
    )


@router.get(
    "/v1/jobs",
    operation_id="list_jobs",
    responses=errors.documented(400, 401),
    openapi_extra={"parameters": [_METADATA]},
)
async def list_jobs(
    caller: auth.Authenticated,
    given: parts.Given,
    wanted: Annotated[listings.JobFilter, fastapi.Depends(_filter)],
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, fastapi.Query(description="`next_cursor` of the page before")] = None,
) -> JobPage:
    """Your jobs, newest first. A page never shifts when jobs are made meanwhile."""
    if cursor is not None and not ids.is_valid(ids.Prefix.JOB, cursor):
        raise faults.InvalidRequestError("Send the `next_cursor` of a page as it is.", param="cursor")
    page = await jobs.list_page(given.db, caller.tenant_id, wanted, cursor, limit)
    return JobPage(
        data=[answers.summary(given, item.job, item.outputs) for item in page.listed],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


@router.get("/v1/jobs/{job_id}", operation_id="get_job", responses=errors.documented(400, 401, 404))
async def get_job(
    job_id: JobId,
    caller: auth.Authenticated,
    given: parts.Given,
    wait: Annotated[
        int,
        fastapi.Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Hold the answer for up to so many seconds"),
    ] = 0,
    expand: Annotated[
        list[Literal["request", "route"]],
        fastapi.Query(description="Also show the stored request, or the router's decisions; may be repeated"),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> answers.Job:
    """A job as it is now. With `wait` the answer comes as soon as status or progress change, the job is over, or
    the time is.
    """
    if wait:
        await waiting.until_changed(given.db, given.changes, caller.tenant_id, job_id, wait, given.stopping)
    if not expand:
        return answers.job(given, await given.looks.get(caller.tenant_id, job_id))
    view = await jobs.get(
        given.db, caller.tenant_id, job_id, with_request="request" in expand, with_route="route" in expand
    )
    return answers.job(given, view)


@router.post(
    "/v1/jobs/{job_id}/cancel",
    operation_id="cancel_job",
    responses={
        202: {"model": answers.Job, "description": "Asked for; a worker carries it out and `billed` will tell"},
        **errors.documented(400, 401, 404, 409),
    },
)
async def cancel_job(
    job_id: JobId, caller: auth.Submitter, given: parts.Given, response: fastapi.Response
) -> answers.Job:
    """Cancel a job that is not over. 200: it is cancelled. 202: a provider is at work on it and will be told; it may
    still be completed. May be repeated.
    """
    view = await jobs.request_cancel(given.db, caller.tenant_id, job_id, clock.now())
    given.hints.give()  # a worker has to cancel it, or to deliver that it is cancelled
    if view.job.status not in states.TERMINAL:
        response.status_code = 202
    given.news.tell(job_id, caller.tenant_id)
    return answers.job(given, view)


@router.post(
    "/v1/jobs/{job_id}/rerun",
    status_code=202,
    operation_id="rerun_job",
    responses={**submissions.ACCEPTED, **errors.documented(400, 401, 404, 409, 410, 422)},
)
async def rerun_job(
    job_id: JobId,
    caller: auth.Submitter,
    key: idempotency.Keyed,
    given: parts.Given,
    response: fastapi.Response,
) -> answers.Accepted:
    """Make a new job from the stored request of one that is over, at today's prices; `rerun_of` names the old one."""
    wish = jobs.Rerun(caller.sender, job_id, given.rules, key)
    catalog = given.catalog
    receipt = await jobs.rerun(given.db, catalog, given.usable_providers(catalog), wish, clock.now())
    accepting.announce(given, receipt)
    return submissions.hand_over(given, receipt, response)


@router.delete("/v1/jobs/{job_id}", operation_id="delete_job", responses=errors.documented(400, 401, 404, 409))
async def delete_job(job_id: JobId, caller: auth.Submitter, given: parts.Given) -> answers.Job:
    """Delete the outputs of a job that is over, at once and for good; its record stays. May be repeated."""
    return answers.job(given, await jobs.delete(given.db, given.store, caller.tenant_id, job_id, clock.now()))
