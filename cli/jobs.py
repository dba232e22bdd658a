"""`genqueue watch|get|list|cancel|rerun`: jobs after they were submitted."""

from typing import Annotated

import typer
from rich import table

from cli import client, exits, outputs, screen, submissions, watching

JobId = Annotated[str, typer.Argument(help="The job, `job_…`.")]
JobIds = Annotated[list[str], typer.Argument(help="One job or several.")]


@screen.command
async def watch(job_ids: JobIds, json: screen.AsJson = False) -> exits.Exit:
    """Look on until the jobs are over."""
    async with screen.connect() as api:
        jobs = await watching.watch(api, job_ids, quiet=json)
    _print(jobs, as_json=json)
    return watching.verdict(jobs)


@screen.command
async def get(
    job_id: JobId,
    request: Annotated[bool, typer.Option("--request", help="Also the request as it was accepted.")] = False,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Show one job: status, attempts, cost, outputs."""
    async with screen.connect() as api:
        job = await api.get(f"/v1/jobs/{job_id}", **({"expand": "request"} if request else {}))
    _print([job], as_json=json)
    if request and not json:
        screen.out.print_json(data=job["request"])
    return exits.Exit.DONE


@screen.command
async def list_(
    status: Annotated[list[str] | None, typer.Option(help="May be repeated: any of these.")] = None,
    kind: Annotated[str | None, typer.Option(help="video, image or text.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m")] = None,
    metadata: submissions.Metadata = None,
    after: Annotated[str | None, typer.Option(help="Made after this time, as in 2026-07-25T00:00:00Z.")] = None,
    before: Annotated[str | None, typer.Option(help="Made before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    json: screen.AsJson = False,
) -> exits.Exit:
    """List jobs, newest first."""
    wanted = {"kind": kind, "model": model, "created_after": after, "created_before": before}
    parameters = {name: value for name, value in wanted.items() if value} | ({"status": status} if status else {})
    parameters |= {f"metadata[{key}]": value for key, value in map(submissions.pair, metadata or ())}
    async with screen.connect() as api:
        found = await api.jobs(parameters, limit)
    if json:
        screen.document(found)
    else:
        _print_list(found)
    return exits.Exit.DONE


@screen.command
async def cancel(job_ids: JobIds, json: screen.AsJson = False) -> exits.Exit:
    """Cancel jobs that are not over. A provider that has begun may still finish, and may bill."""
    async with screen.connect() as api:
        jobs = [await api.post(f"/v1/jobs/{job_id}/cancel") for job_id in job_ids]
    if json:
        screen.document(jobs)
        return exits.Exit.DONE
    for job in jobs:
        over = job["status"] in client.TERMINAL
        screen.plain(f"{job['id']} is {job['status']}" + ("" if over else "; cancelling was asked for"))
    return exits.Exit.DONE


@screen.command
async def rerun(
    job_id: JobId, wait: submissions.Wait = False, out: outputs.Out = None, json: screen.AsJson = False
) -> exits.Exit:
    """Run a job that is over once more, at today's prices."""
    async with screen.connect() as api:
        receipt = await api.post(f"/v1/jobs/{job_id}/rerun")
        if wait or out:
            return await submissions.finish(api, receipt["id"], out, as_json=json)
    submissions.print_receipt(receipt, as_json=json)
    return exits.Exit.DONE


def _print(jobs: list[client.Json], *, as_json: bool) -> None:
    if as_json:
        screen.document(jobs[0] if len(jobs) == 1 else jobs)
        return
    for job in jobs:
        screen.job(job)


def _print_list(found: list[client.Json]) -> None:
    if not found:
        screen.hints.print('No jobs fit. Make one: genqueue submit video "a lighthouse at dusk"')
        return
    made = screen.grid(table.Column("job", no_wrap=True), "status", "%", "model", "cost", "created")
    for job in found:
        cost = screen.usd(job["usage"]["cost_micros"])
        shown = (job["id"], screen.status(job["status"]), str(job["progress"]), screen.safe(job["model"]), cost)
        made.add_row(*shown, job["created_at"][5:16].replace("T", " "))
    screen.out.print(made)
