"""What a caller may ask a list of jobs to hold, and one page of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain import jobs, outputs, states


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Only jobs for which all of these hold; what is empty or None says nothing."""

    kind: states.Kind | None = None
    statuses: frozenset[states.JobStatus] = frozenset()
    model: str | None = None
    provider: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """One job of a page with its outputs."""

    job: jobs.Job
    outputs: tuple[outputs.Output, ...]


@dataclass(frozen=True, slots=True)
class JobPage:
    """Newest first. `next_cursor` asks for the page after this one; None on the last."""

    listed: tuple[Listed, ...]
    next_cursor: str | None
