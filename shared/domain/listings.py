"""What a caller may ask a list of jobs to hold, and one page of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.domain import jobs, outputs, states


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Only jobs for which all of these hold; what is empty or None says nothing. Newest first, unless the oldest are
    wanted first.
    """

    kind: states.Kind | None = None
    statuses: frozenset[states.JobStatus] = frozenset()
    model: str | None = None
    provider: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    deleted: bool | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One job of a page with its outputs, and its stored request if that was asked for."""

    job: jobs.Job
    outputs: tuple[outputs.Output, ...]
    request: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """In the order asked for. `next_cursor` asks for the page after this one; None on the last."""

    listed: tuple[Listed, ...]
    next_cursor: str | None
