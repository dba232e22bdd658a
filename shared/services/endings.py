"""How a job that came to nothing is told to a caller who waited for it."""

from collections.abc import Mapping

from shared import errors
from shared.domain import faults, jobs, states

_REFUSALS = frozenset({faults.FaultKind.INVALID_INPUT, faults.FaultKind.CONTENT_POLICY})
_BY_STATUS: Mapping[states.JobStatus, type[errors.GenqueueError]] = {
    states.JobStatus.CANCELLED: errors.GenerationCancelledError,
    states.JobStatus.EXPIRED: errors.TimedOutError,
}


def check(job: jobs.Job) -> None:
    """Raise unless the job is completed: StillRunningError, GenerationRefusedError for the caller's own faults,
    GenerationInDoubtError, GenerationFailedError, GenerationCancelledError, TimedOutError.
    """
    if job.status in states.ACTIVE:
        raise errors.StillRunningError(details={"job_id": job.id})
    if job.status is not states.JobStatus.COMPLETED:
        details = {"job_id": job.id, "fault": job.error_code, "billed": job.billed}
        raise _class_of(job)(job.error_message or None, details=details)


def _class_of(job: jobs.Job) -> type[errors.GenqueueError]:
    if job.status in _BY_STATUS:
        return _BY_STATUS[job.status]
    if job.error_code in _REFUSALS:
        return errors.GenerationRefusedError
    if job.error_code == faults.FaultKind.IN_DOUBT:
        return errors.GenerationInDoubtError
    return errors.GenerationFailedError
