"""A job as services and workers see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain import envelopes, faults, states


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `jobs`. Money in micro-dollars, progress 0-100, `fence` grows with every claim."""

    id: str
    tenant_id: str
    key_id: str
    kind: states.Kind
    status: states.JobStatus
    step: states.Step
    model: str
    priority: int
    on_doubt: states.OnDoubt
    created_at: datetime
    deadline_at: datetime
    due_at: datetime
    fence: int
    sequence: int
    progress: int
    metadata: dict[str, str]
    estimate_micros: int
    cost_micros: int
    turn_at: datetime
    held_micros: int = 0
    budget_ids: tuple[str, ...] = ()
    is_test: bool = False
    store: bool = True
    retention_seconds: int | None = None
    lease_owner: str | None = None
    attempt_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    served_model: str | None = None
    served_provider: str | None = None
    billed: states.Billed | None = None
    error_code: str | None = None
    error_message: str | None = None
    deleted_at: datetime | None = None
    rerun_of: str | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is inserted when a request is accepted. `prices`: what each endpoint asks for today, by its name. One that
    carries on a row of a batch holds no money: the batch does, until the row ends.
    """

    id: str
    tenant_id: str
    key_id: str
    kind: states.Kind
    model: str
    priority: int
    on_doubt: states.OnDoubt
    created_at: datetime
    deadline_at: datetime
    metadata: dict[str, str]
    estimate_micros: int
    request: dict[str, Any]
    prices: dict[str, dict[str, str]]
    rerun_of: str | None = None
    # What is reserved for it, and where: set by who reserves it.
    held_micros: int = 0
    budget_ids: tuple[str, ...] = ()
    is_test: bool = False
    store: bool = True
    retention_seconds: int | None = None
    webhook: "Webhook | None" = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a job's own events go. `events` None: the ends only."""

    url: str
    origin: str
    events: tuple[str, ...] | None
    format: envelopes.Envelope = envelopes.Envelope.STANDARD


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends, other than `completed`."""

    status: states.JobStatus
    error_code: str
    error_message: str
    billed: states.Billed

    @classmethod
    def of_fault(cls, fault: faults.Fault, billed: states.Billed) -> "Ending":
        """A failure for the reason the last attempt gave."""
        return cls(states.JobStatus.FAILED, fault.kind, fault.message, billed)
