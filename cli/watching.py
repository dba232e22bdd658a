"""Looking on while jobs run: one progress bar each, on stderr, until all are over."""

import asyncio
from collections.abc import Sequence

from rich import progress

from cli import client, exits, screen


async def watch(api: client.Client, job_ids: Sequence[str], *, quiet: bool) -> list[client.Json]:
    """The jobs as they ended, in the order of the ids. Raises ApiError. Stopping to look stops no job."""
    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[status]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=screen.hints, disable=quiet) as bars:
        return list(await asyncio.gather(*(_follow(api, job_id, bars) for job_id in job_ids)))


async def _follow(api: client.Client, job_id: str, bars: progress.Progress) -> client.Json:
    bar = bars.add_task(job_id, total=100, status="")
    job: client.Json = {}
    async for job in api.follow(job_id):
        bars.update(bar, completed=job["progress"], status=_said(job))
    bars.stop_task(bar)
    return job


def _said(job: client.Json) -> str:
    place = job.get("queue_position")
    return f"queued, {place} in line" if place else screen.status(job["status"])


def verdict(jobs: Sequence[client.Json]) -> exits.Exit:
    """What a command ends with when it waited for these."""
    good = all(job["status"] == "completed" for job in jobs)
    return exits.Exit.DONE if good else exits.Exit.NOT_COMPLETED
