"""A video job as the OpenRouter clients read it: what is absent is left out, an error is a string."""

from datetime import datetime, timedelta
from typing import Any

from api import downloads, parts
from shared.domain import jobs, outputs, states
from shared.services import jobs as job_services

_STATUSES = {states.JobStatus.QUEUED: "pending"}


def accepted(given: parts.Parts, job: jobs.Job) -> dict[str, Any]:
    """The receipt: these three keys and no other."""
    return {
        "id": job.id,
        "polling_url": given.url(f"/api/v1/videos/{job.id}"),
        "status": _STATUSES.get(job.status, str(job.status)),
    }


async def of_view(given: parts.Parts, view: job_services.JobView, now: datetime) -> dict[str, Any]:
    """The video with what else we know of it."""
    job = view.job
    answer = accepted(given, job) | {"generation_id": job.id} | _more(view)
    if job.status is states.JobStatus.COMPLETED:
        answer |= await _made(given, view, now)
        answer["usage"] = {"cost": job.cost_micros / 1_000_000, "is_byok": False}
    elif job.status in states.TERMINAL:
        answer["error"] = job.error_message or f"The job is {job.status}."
    return answer


async def _made(given: parts.Parts, view: job_services.JobView, now: datetime) -> dict[str, Any]:
    """Where the videos are: our URLs, which need the key, and signed ones, which need none and expire."""
    videos = [output for output in view.outputs if output.variant is outputs.Variant.MAIN]
    content = given.url(f"/api/v1/videos/{view.job.id}/content")
    answer: dict[str, Any] = {"unsigned_urls": [f"{content}?index={video.number}" for video in videos]}
    there = [video for video in videos if video.deleted_at is None and (video.expires_at or now) >= now]
    if there:
        seconds = given.settings.signed_url_seconds
        answer["urls"] = [
            await given.store.sign(video.key, seconds, downloads.filename(video), video.media_type, inline=True)
            for video in there
        ]
        answer["expires_at"] = int((now + timedelta(seconds=seconds)).timestamp())
    return answer


def _more(view: job_services.JobView) -> dict[str, Any]:
    job = view.job
    more = {
        "model": job.served_model or job.model,
        "progress": job.progress,
        "queue_position": view.queue_position,
        "attempts": len(view.attempts),
        "error_code": job.error_code,
        "billed": job.billed,
        "provider_name": job.served_provider,
    }
    return {name: value for name, value in more.items() if value is not None}
