"""Facts that happened to a job, a batch or a receiver, written in the same transaction as the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

# Standard Webhooks asks for bodies under 20 kB; everything else in ours stays far below the rest.
METADATA_BYTES = 10_000
MESSAGE_CHARACTERS = 1000


class EventType(StrEnum):
    """What a receiver may ask to be told."""

    JOB_QUEUED = "job.queued"
    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_EXPIRED = "job.expired"
    BATCH_VALIDATED = "batch.validated"
    BATCH_STARTED = "batch.started"
    BATCH_PROGRESS = "batch.progress"
    BATCH_COMPLETED = "batch.completed"
    BATCH_FAILED = "batch.failed"
    RECEIVER_DISABLED = "receiver.disabled"
    RECEIVER_TEST = "receiver.test"
    BUDGET_THRESHOLD = "budget.threshold"


# Many a job; a receiver gets them only if it names them.
OPT_IN = frozenset({EventType.JOB_PROGRESS, EventType.BATCH_PROGRESS})
# Sent to one receiver because its owner asked; nobody subscribes to it.
UNASKED = frozenset({EventType.RECEIVER_TEST})
SUBSCRIBABLE = frozenset(EventType) - UNASKED
OF_JOBS = frozenset(kind for kind in EventType if kind.startswith("job."))
# What the own URL of a batch is told.
BATCH_NEWS = frozenset(kind for kind in EventType if kind.startswith("batch.")) - OPT_IN
BATCH_ENDS = frozenset({EventType.BATCH_COMPLETED, EventType.BATCH_FAILED})
JOB_ENDS = frozenset({EventType.JOB_COMPLETED, EventType.JOB_FAILED, EventType.JOB_CANCELLED, EventType.JOB_EXPIRED})


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events`. `sequence` counts per subject, so that a receiver can drop a stale one; `body` is the JSON
    that every receiver gets, byte for byte.
    """

    id: str
    tenant_id: str
    subject_id: str
    type: EventType
    sequence: int
    created_at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events in the order a follower reads them; go on after `next_cursor`."""

    events: tuple[Event, ...]
    has_more: bool
    next_cursor: str | None


def body(event_type: EventType, now: datetime, data: Mapping[str, Any]) -> str:
    """The frozen JSON of an event, as Standard Webhooks 1.0.0 shapes it."""
    moment = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": event_type, "timestamp": moment, "data": data}, option=orjson.OPT_UTC_Z).decode()


_JOB_FIELDS = (
    *("id", "kind", "status", "sequence", "progress", "model", "served_model", "served_provider", "billed"),
    *("rerun_of", "created_at", "started_at", "finished_at"),
)


def job_data(
    job: Mapping[str, Any], made: Sequence[Mapping[str, Any]], base_url: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """What an event tells of a job: its row as it stands after the change, and its stored outputs."""
    url = f"{base_url}/v1/jobs/{job['id']}"
    shown = {name: job[name] for name in _JOB_FIELDS}
    message = (job["error_message"] or "")[:MESSAGE_CHARACTERS]
    return {
        **extra,
        **shown,
        "object": "job",
        "polling_url": url,
        "outputs": [_output(url, row) for row in made],
        "error": {"code": job["error_code"], "message": message} if job["error_code"] else None,
        "cost": f"{job['cost_micros'] // 1_000_000}.{job['cost_micros'] % 1_000_000:06d}",
        "cost_micros": job["cost_micros"],
        "metadata": _bounded(job["metadata"]),
    }


def _output(job_url: str, row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("number", "media_type", "size_bytes", "sha256", "width", "height", "duration_seconds")
    return {"url": f"{job_url}/outputs/{row['number']}"} | {name: row[name] for name in names}


def _bounded(metadata: Mapping[str, str]) -> Mapping[str, str] | None:
    """None for metadata too large for an event; the job's own URL has it."""
    return metadata if len(orjson.dumps(metadata)) <= METADATA_BYTES else None
