"""The ledger: every movement of money, in micro-dollars, never changed and never deleted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain import states


class EntryKind(StrEnum):
    """HOLD when a job is admitted, RELEASE (minus the hold) when it ends, CHARGE for each attempt that was asked."""

    HOLD = "hold"
    RELEASE = "release"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `ledger`. `attempt_id`, `model` and `provider` only for a charge."""

    id: str
    tenant_id: str
    key_id: str
    job_id: str
    job_kind: states.Kind
    kind: EntryKind
    micros: int
    created_at: datetime
    attempt_id: str | None = None
    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Something the ledger, the jobs and the budgets do not agree about; both sums in micro-dollars."""

    what: str
    id: str
    expected_micros: int
    found_micros: int
