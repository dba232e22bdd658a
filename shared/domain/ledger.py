"""The ledger: every movement of money, in micro-dollars, never changed and never deleted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Instead of a job's kind, on the lines that hold and release money for a batch: its rows may be of several kinds.
BATCH = "batch"


class EntryKind(StrEnum):
    """HOLD when a job is admitted, RELEASE (minus the hold) when it ends, CHARGE for each attempt that was asked.
    A batch is held for as a whole, by generation, and released piece by piece; its rows are charged as jobs are.
    """

    HOLD = "hold"
    RELEASE = "release"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `ledger`. `job_id`: the job, the row's job, or the batch that money is held for. `model` and `provider`
    only for a charge; `attempt_id` also tells the holds and releases of a batch apart.
    """

    id: str
    tenant_id: str
    key_id: str
    job_id: str
    job_kind: str
    kind: EntryKind
    micros: int
    created_at: datetime
    attempt_id: str | None = None
    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class RowCharge:
    """What one attempt of a batch's row cost. `reference` is that of the attempt, which is no row of `attempts`."""

    job_id: str
    reference: str
    model: str
    provider: str
    micros: int


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Something the ledger, the jobs and the budgets do not agree about; both sums in micro-dollars."""

    what: str
    id: str
    expected_micros: int
    found_micros: int
