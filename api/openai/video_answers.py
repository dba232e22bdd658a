"""A video job as the OpenAI clients read it: every key present, closed words, a progress without fractions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.domain import asks, jobs, listings, models, outputs, requests, states
from shared.services import jobs as job_services

# They know no other end than `completed` and `failed`; the error's code tells which it was.
_STATUSES = {states.JobStatus.CANCELLED: "failed", states.JobStatus.EXPIRED: "failed"}


def of_view(catalog: models.Catalog, view: job_services.JobView) -> dict[str, Any]:
    """The video with what else we know of it."""
    more = {"queue_position": view.queue_position, "attempts": len(view.attempts), "in_doubt": view.in_doubt}
    return _video(catalog, view.job, view.request, view.outputs) | more


def of_listed(catalog: models.Catalog, item: listings.Listed) -> dict[str, Any]:
    """The video as it stands in a list."""
    return _video(catalog, item.job, item.request, item.outputs)


def unix(moment: datetime | None) -> int | None:
    """Whole seconds since 1970."""
    return None if moment is None else int(moment.timestamp())


def _video(
    catalog: models.Catalog, job: jobs.Job, stored: Mapping[str, Any] | None, made: Sequence[outputs.Output]
) -> dict[str, Any]:
    main = next((output for output in made if output.variant is outputs.Variant.MAIN), None)
    return {
        "id": job.id,
        "object": "video",
        "model": job.model,
        "status": _STATUSES.get(job.status, str(job.status)),
        "progress": job.progress,
        "created_at": unix(job.created_at),
        "completed_at": unix(job.finished_at) if job.status is states.JobStatus.COMPLETED else None,
        "expires_at": unix(main.expires_at) if main else None,
        "prompt": (stored or {}).get("prompt"),
        **_form(catalog, job, stored, main),
        "remixed_from_video_id": job.rerun_of,
        "error": _error(job),
        **_more(job),
    }


def _form(
    catalog: models.Catalog, job: jobs.Job, stored: Mapping[str, Any] | None, main: outputs.Output | None
) -> dict[str, str]:
    """Size and length: as asked, with the model's defaults filled in; as made, if nothing else is known."""
    model = catalog.models.get(job.model)
    if model is not None and stored is not None:
        request = requests.parse(job.kind, dict(stored))
        return {"size": str(asks.pixels(model, request)), "seconds": str(asks.seconds(model, request))}
    if main is not None:
        return {"size": f"{main.width}x{main.height}", "seconds": str(round(main.duration_seconds or 0))}
    return {"size": "", "seconds": "0"}


def _error(job: jobs.Job) -> dict[str, str] | None:
    if job.status is states.JobStatus.CANCELLED:
        return {"code": "cancelled", "message": job.error_message or "The job was cancelled."}
    if job.status is states.JobStatus.EXPIRED:
        return {"code": "expired", "message": job.error_message or "The job was not done before its deadline."}
    if job.status is states.JobStatus.FAILED:
        return {"code": job.error_code or "failed", "message": job.error_message or "The job failed."}
    return None


def _more(job: jobs.Job) -> dict[str, Any]:
    """What these clients keep as extra fields."""
    return {
        "job_status": job.status,
        "served_model": job.served_model,
        "served_provider": job.served_provider,
        "billed": job.billed,
        "cost_micros": job.cost_micros,
        "estimate_micros": job.estimate_micros,
        "metadata": job.metadata,
    }
