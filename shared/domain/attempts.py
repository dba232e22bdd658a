"""One ask of one endpoint for one job, as it is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.domain import faults, outputs, states

_UNSURE = frozenset({states.AttemptStatus.SENT, states.AttemptStatus.IN_DOUBT, states.AttemptStatus.OVERDUE})
_WORST_FIRST = (states.Billed.YES, states.Billed.UNKNOWN, states.Billed.NO)


def worst(bills: Iterable[states.Billed]) -> states.Billed:
    """The bill of several together: yes if any is, else unknown if any is, else no."""
    found = {*bills, states.Billed.NO}
    return next(bill for bill in _WORST_FIRST if bill in found)


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
    def billed(self) -> states.Billed:
        """What is known of the provider's bill for it, as long as it has delivered nothing that could be used."""
        if self.cost_micros or self.status is states.AttemptStatus.SUCCEEDED:
            return states.Billed.YES
        # A provider that accepted it and no longer knows it has not said that it was free.
        vanished = self.accepted_at is not None and self.fault is faults.FaultKind.NOT_FOUND
        return states.Billed.UNKNOWN if vanished or self.status in _UNSURE else states.Billed.NO

    @property
    def endpoint(self) -> str:
        """The endpoint's name, as `models.Endpoint.name_for` gives it."""
        return f"{self.model}@{self.provider}"
