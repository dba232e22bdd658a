"""What was used: charges of the ledger, added up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Grouping(StrEnum):
    """By what usage may be split. Days are UTC."""

    DAY = "day"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Charges since `since_at` and before `until_at`, split by `by`."""

    since_at: datetime
    until_at: datetime
    by: tuple[Grouping, ...]
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its values by grouping, the money, and how many jobs and attempts it was for."""

    group: dict[Grouping, str]
    cost_micros: int
    jobs: int
    attempts: int
