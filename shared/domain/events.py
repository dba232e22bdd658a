"""Facts that happened to a job, written in the same transaction as the change."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """What a receiver may ask to be told."""

    JOB_QUEUED = "job.queued"
    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_EXPIRED = "job.expired"
    BUDGET_THRESHOLD = "budget.threshold"


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events`. `sequence` counts per job, so that a receiver can drop a stale one."""

    id: str
    tenant_id: str
    job_id: str
    type: EventType
    sequence: int
    created_at: datetime
    data: dict[str, Any]
