"""One ask of one endpoint for one job, as it is kept."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain import faults, outputs, states


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `attempts`. `reference` is our name for it, sent to the provider; it never changes."""

    id: str
    job_id: str
    number: int
    model: str
    provider: str
    upstream_model: str
    credential: int
    status: states.AttemptStatus
    reference: str
    created_at: datetime
    upstream_id: str | None = None
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    finished_at: datetime | None = None
    fault: faults.FaultKind | None = None
    fault_message: str | None = None
    cost_micros: int = 0
    retry_after_seconds: float | None = None
    ask_count: int = 0
    poll_count: int = 0
    collect_count: int = 0
    sources: tuple[outputs.Source, ...] = ()
    usage: outputs.Usage | None = None

    @property
    def endpoint(self) -> str:
        """The endpoint's name, as `models.Endpoint.name_for` gives it."""
        return f"{self.model}@{self.provider}"
