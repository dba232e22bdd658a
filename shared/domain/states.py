"""The states of jobs and attempts, and the only arrows between them. Drawn in docs/states.md."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What a job makes."""

    VIDEO = "video"
    IMAGE = "image"
    TEXT = "text"
    EMBEDDING = "embedding"


# What comes as text: nothing in its bytes tells what it is.
WRITTEN = frozenset({Kind.TEXT, Kind.EMBEDDING})


class JobStatus(StrEnum):
    """What a caller sees."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Step(StrEnum):
    """What a job needs next; workers see it, callers do not."""

    SUBMIT = "submit"
    POLL = "poll"
    COLLECT = "collect"
    DONE = "done"


class AttemptStatus(StrEnum):
    """How far one ask of one endpoint has come."""

    INTENDED = "intended"
    SENT = "sent"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_SENT = "not_sent"
    IN_DOUBT = "in_doubt"
    OVERDUE = "overdue"
    CANCELLED = "cancelled"


class Billed(StrEnum):
    """What we know of the provider's bill for a job that was cancelled, failed or expired."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class OnDoubt(StrEnum):
    """What to do when nobody can know whether a provider accepted an attempt (promise P3)."""

    FAIL = "fail"
    RETRY = "retry"
    FALLBACK = "fallback"


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
ACTIVE = frozenset(JobStatus) - TERMINAL

_ENDS = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})

JOB_ARROWS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.IN_PROGRESS}) | _ENDS,
    JobStatus.IN_PROGRESS: frozenset({JobStatus.COMPLETED}) | _ENDS,
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
    JobStatus.EXPIRED: frozenset(),
}

_A = AttemptStatus
ATTEMPT_ARROWS: Mapping[AttemptStatus, frozenset[AttemptStatus]] = {
    _A.INTENDED: frozenset({_A.SENT, _A.NOT_SENT}),
    _A.SENT: frozenset({_A.ACCEPTED, _A.SUCCEEDED, _A.FAILED, _A.REFUSED, _A.NOT_SENT, _A.IN_DOUBT}),
    _A.ACCEPTED: frozenset({_A.SUCCEEDED, _A.FAILED, _A.OVERDUE, _A.CANCELLED}),
    # It finished late, and before the attempt that replaced it.
    _A.OVERDUE: frozenset({_A.SUCCEEDED}),
    # Its provider's callback proves that it was accepted.
    _A.IN_DOUBT: frozenset({_A.ACCEPTED}),
    # Its output proved unusable when it was collected.
    _A.SUCCEEDED: frozenset({_A.FAILED}),
    _A.REFUSED: frozenset(),
    _A.FAILED: frozenset(),
    _A.NOT_SENT: frozenset(),
    _A.CANCELLED: frozenset(),
}


def may_become(before: AttemptStatus, after: AttemptStatus) -> bool:
    """Whether an attempt may go from one status to another."""
    return after in ATTEMPT_ARROWS[before]


def sources_of(after: AttemptStatus) -> frozenset[AttemptStatus]:
    """The statuses an attempt may come from to reach `after`."""
    return frozenset(before for before, ends in ATTEMPT_ARROWS.items() if after in ends)
