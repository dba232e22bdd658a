"""Jobs as callers see them."""

from datetime import datetime
from typing import Any, TypeAlias

import pydantic

from api import parts
from api.native import decisions, examples, money
from shared.domain import attempts, faults, jobs, outputs, states
from shared.services import jobs as job_services

Usd: TypeAlias = money.Usd
Micros: TypeAlias = money.Micros
usd = money.usd


class Estimate(pydantic.BaseModel):
    """The most this should cost: the price at the dearest endpoint that may serve it."""

    cost: Usd
    cost_micros: Micros


class Accepted(pydantic.BaseModel):
    """The answer to a submit: poll `polling_url`, not before the seconds in `Retry-After`."""

    model_config = pydantic.ConfigDict(json_schema_extra={"example": examples.ACCEPTED})

    id: str
    kind: states.Kind
    status: states.JobStatus
    model: str
    polling_url: str
    created_at: datetime
    estimate: Estimate
    rerun_of: str | None


class Usage(pydantic.BaseModel):
    """What the job cost so far: all its attempts together."""

    cost: Usd
    cost_micros: Micros
    estimate: Usd
    estimate_micros: Micros


class JobError(pydantic.BaseModel):
    """Why the job was not completed."""

    code: str = pydantic.Field(examples=["content_policy"])
    message: str


class File(pydantic.BaseModel):
    """One stored file."""

    url: str = pydantic.Field(description="Stays the same; answers 302 to a signed URL, or the bytes (`?stream=true`)")
    media_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_seconds: float | None


class Output(File):
    """What was made, with the small pictures made from it by variant (`thumbnail`, `spritesheet`)."""

    number: int
    variants: dict[outputs.Variant, File]
    created_at: datetime
    expires_at: datetime | None = pydantic.Field(description="When it will be deleted; null: it is kept")
    deleted_at: datetime | None


class Attempt(pydantic.BaseModel):
    """One ask of one endpoint."""

    number: int
    model: str
    provider: str
    status: states.AttemptStatus = pydantic.Field(description="`in_doubt`: nobody can know whether it was accepted")
    created_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    finished_at: datetime | None
    fault: faults.FaultKind | None
    fault_message: str | None
    cost: Usd
    cost_micros: Micros


class JobSummary(pydantic.BaseModel):
    """A job as it stands in a list."""

    id: str
    kind: states.Kind
    status: states.JobStatus
    progress: int = pydantic.Field(ge=0, le=100, description="Percent; 100 once completed")
    model: str = pydantic.Field(description="The model that was asked for")
    served_model: str | None = pydantic.Field(description="The model that made the outputs")
    served_provider: str | None
    outputs: list[Output]
    usage: Usage
    billed: states.Billed | None = pydantic.Field(description="Whether a job that made nothing was charged for")
    error: JobError | None
    priority: int
    metadata: dict[str, str]
    polling_url: str
    rerun_of: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    cancel_requested_at: datetime | None
    deleted_at: datetime | None


class Job(JobSummary):
    """A job with everything known of it."""

    model_config = pydantic.ConfigDict(json_schema_extra={"example": examples.JOB})

    queue_position: int | None = pydantic.Field(
        description="While queued: 1 is next among your jobs; 1000 stands for 1000 or later"
    )
    attempts: list[Attempt]
    in_doubt: bool = pydantic.Field(description="A provider may have accepted, and may charge for, a lost attempt")
    request: dict[str, Any] | None = pydantic.Field(description="As it was accepted; only with `?expand=request`")
    route: list[decisions.Decision] | None = pydantic.Field(
        description="Whom each attempt could have asked, and why it asked whom it did; only with `?expand=route`"
    )
    text: str | None = pydantic.Field(description="The answer itself, if the job is a text row of a batch")


def accepted(given: parts.Parts, job: jobs.Job) -> Accepted:
    """The receipt for a job."""
    return Accepted(
        id=job.id,
        kind=job.kind,
        status=job.status,
        model=job.model,
        polling_url=given.url(f"/v1/jobs/{job.id}"),
        created_at=job.created_at,
        estimate=Estimate(cost=usd(job.estimate_micros), cost_micros=job.estimate_micros),
        rerun_of=job.rerun_of,
    )


def job(given: parts.Parts, view: job_services.JobView) -> Job:
    """A job with everything known of it."""
    return Job(
        **_summary_fields(given, view.job, view.outputs),
        queue_position=view.queue_position,
        attempts=[_attempt(attempt) for attempt in view.attempts],
        in_doubt=view.in_doubt,
        request=view.request,
        route=None if view.route is None else [decisions.decision(each) for each in view.route],
        text=view.text,
    )


def summary(given: parts.Parts, job: jobs.Job, made: tuple[outputs.Output, ...]) -> JobSummary:
    """A job for a list."""
    return JobSummary(**_summary_fields(given, job, made))


_SAME_NAME = (
    "id",
    "kind",
    "status",
    "progress",
    "model",
    "served_model",
    "served_provider",
    "billed",
    "priority",
    "metadata",
    "rerun_of",
    "created_at",
    "started_at",
    "finished_at",
    "deadline_at",
    "cancel_requested_at",
    "deleted_at",
)


def _summary_fields(given: parts.Parts, job: jobs.Job, made: tuple[outputs.Output, ...]) -> dict[str, Any]:
    url = given.url(f"/v1/jobs/{job.id}")
    return {name: getattr(job, name) for name in _SAME_NAME} | {
        "polling_url": url,
        "outputs": _outputs(url, made),
        "usage": Usage(
            cost=usd(job.cost_micros),
            cost_micros=job.cost_micros,
            estimate=usd(job.estimate_micros),
            estimate_micros=job.estimate_micros,
        ),
        "error": JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None,
    }


def _outputs(job_url: str, made: tuple[outputs.Output, ...]) -> list[Output]:
    variants: dict[int, dict[outputs.Variant, File]] = {}
    for output in made:
        if output.variant is not outputs.Variant.MAIN:
            variants.setdefault(output.number, {})[output.variant] = File(**_file_fields(job_url, output))
    return [
        Output(
            **_file_fields(job_url, output),
            number=output.number,
            variants=variants.get(output.number, {}),
            created_at=output.created_at,
            expires_at=output.expires_at,
            deleted_at=output.deleted_at,
        )
        for output in made
        if output.variant is outputs.Variant.MAIN
    ]


def _file_fields(job_url: str, output: outputs.Output) -> dict[str, Any]:
    variant = "" if output.variant is outputs.Variant.MAIN else f"?variant={output.variant}"
    return {
        "url": f"{job_url}/outputs/{output.number}{variant}",
        "media_type": output.media_type,
        "size_bytes": output.size_bytes,
        "sha256": output.sha256,
        "width": output.width,
        "height": output.height,
        "duration_seconds": output.duration_seconds,
    }


def _attempt(attempt: attempts.Attempt) -> Attempt:
    return Attempt(
        number=attempt.number,
        model=attempt.model,
        provider=attempt.provider,
        status=attempt.status,
        created_at=attempt.created_at,
        sent_at=attempt.sent_at,
        accepted_at=attempt.accepted_at,
        finished_at=attempt.finished_at,
        fault=attempt.fault,
        fault_message=attempt.fault_message,
        cost=usd(attempt.cost_micros),
        cost_micros=attempt.cost_micros,
    )
